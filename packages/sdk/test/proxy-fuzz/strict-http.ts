interface StrictMessage {
  readonly startLine: string
  readonly fields: readonly (readonly [lowerCaseName: string, value: string])[]
  /** Where the next message begins. */
  readonly end: number
  /** False: the bytes end inside it. */
  readonly isWhole: boolean
}

const startLines = { request: /^[A-Z-]+ [!-~\x80-\xff]+ HTTP\/1\.1$/, response: /^HTTP\/1\.1 (\d{3}) [^\0\r\n]*$/ }
const FIELD = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):([^\0\r\n]*)$/

/**
 * Reads HTTP/1.1 as strictly as it can be read, by other code than the proxy's: whatever comes out of the proxy must pass here, whatever
 * went in. Returns the message that begins at `at`, or what is wrong with it.
 */
export function readStrictly(text: string, at: number, kind: 'request' | 'response'): StrictMessage | string {
  const headEnd = text.indexOf('\r\n\r\n', at)
  const head = headEnd < 0 ? text.slice(at) : text.slice(at, headEnd)
  if (headEnd < 0) return { startLine: head, fields: [], end: text.length, isWhole: false }
  const [startLine = '', ...lines] = head.split('\r\n')
  const start = startLines[kind].exec(startLine)
  if (!start) return `bad start line ${JSON.stringify(startLine)}`
  const fields: [string, string][] = []
  for (const line of lines) {
    const field = FIELD.exec(line)
    if (!field?.[1]) return `bad field ${JSON.stringify(line)}`
    fields.push([field[1].toLowerCase(), (field[2] ?? '').trim()])
  }
  const all = (name: string): string[] => fields.filter(([found]) => found === name).map(([, value]) => value)
  const [lengths, codings] = [all('content-length'), all('transfer-encoding')]
  if (lengths.length + codings.length > 1) return `${lengths.length} lengths and ${codings.length} codings`
  if (lengths.some((value) => !/^\d+$/.test(value))) return `length ${lengths[0]}`
  if (codings.some((value) => value !== 'chunked')) return `coding ${codings[0]}`
  if (kind === 'request' && all('host').length !== 1) return `${all('host').length} Hosts`
  const body = headEnd + 4
  const hasNone = kind === 'response' && /^(1..|204|304)$/.test(start[1] ?? '')
  if (hasNone || (kind === 'request' && lengths.length + codings.length === 0)) return { startLine, fields, end: body, isWhole: true }
  if (lengths[0] !== undefined) {
    const end = body + Number(lengths[0])
    return { startLine, fields, end: Math.min(end, text.length), isWhole: end <= text.length }
  }
  if (codings.length === 0) return { startLine, fields, end: text.length, isWhole: true }
  const end = endOfChunks(text, body)
  if (typeof end === 'string') return end
  return { startLine, fields, end: end ?? text.length, isWhole: end !== null }
}

/** Null: the bytes end before the last chunk. */
function endOfChunks(text: string, from: number): number | string | null {
  for (let at = from; ; ) {
    const lineEnd = text.indexOf('\r\n', at)
    if (lineEnd < 0) return null
    const size = text.slice(at, lineEnd)
    if (!/^[0-9a-f]{1,8}$/.test(size)) return `chunk size ${JSON.stringify(size.slice(0, 40))}`
    if (Number.parseInt(size, 16) === 0) {
      if (text.startsWith('\r\n', lineEnd + 2)) return lineEnd + 4
      const end = text.indexOf('\r\n\r\n', lineEnd)
      return end < 0 ? null : end + 4
    }
    at = lineEnd + 2 + Number.parseInt(size, 16)
    if (at + 2 > text.length) return null
    if (text.slice(at, at + 2) !== '\r\n') return `no line end behind a chunk of ${size}`
    at += 2
  }
}
