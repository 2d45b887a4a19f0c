/**
 * Request headers reach a dispatcher in three shapes: a flat array (`[name, value, name, value]`), an object,
 * or an iterable of pairs. These functions read and rewrite all of them.
 */

type Pair = readonly [name: string, value: unknown]

function* pairsOf(headers: unknown): Generator<Pair> {
  if (headers === null || headers === undefined || typeof headers !== 'object') return
  if (Array.isArray(headers)) {
    for (let i = 0; i + 1 < headers.length; i += 2) yield [String(headers[i]), headers[i + 1]]
    return
  }
  if (Symbol.iterator in headers) {
    for (const pair of headers as Iterable<Pair>) yield [String(pair[0]), pair[1]]
    return
  }
  yield* Object.entries(headers)
}

/** The first value of a header; undefined when it is not there. */
export function headerValue(headers: unknown, lowerCaseName: string): string | undefined {
  for (const [name, value] of pairsOf(headers)) {
    if (name.length === lowerCaseName.length && name.toLowerCase() === lowerCaseName) return String(value)
  }
  return undefined
}

/**
 * The caller's headers as they may travel to the target: without `proxy-authorization` (that is between us and the device),
 * and with a `content-length` that the fetch of Node 20 and 22 wrote twice (`"5, 5"`) made one again: undici 7 refuses it.
 * Returns the same object when there is nothing to change.
 */
export function cleanHeaders(headers: unknown): unknown {
  let isClean = true
  for (const [name, value] of pairsOf(headers)) {
    if (isHopHeader(name) || onceOnly(name, value) !== value) {
      isClean = false
      break
    }
  }
  return isClean
    ? headers
    : [...pairsOf(headers)].filter(([name]) => !isHopHeader(name)).flatMap(([name, value]) => [name, onceOnly(name, value)])
}

/** Headers of a request in absolute form: the target's `host` where the caller named none, and the device's credentials. */
export function forwardHeaders(headers: unknown, targetHost: string, authorization: string | null): unknown[] {
  const flat: unknown[] = []
  let hasHost = false
  for (const [name, value] of pairsOf(headers)) {
    if (isHopHeader(name)) continue
    if (name.length === 4 && name.toLowerCase() === 'host') hasHost = true
    flat.push(name, onceOnly(name, value))
  }
  if (!hasHost) flat.push('host', targetHost)
  if (authorization !== null) flat.push('proxy-authorization', authorization)
  return flat
}

const isHopHeader = (name: string): boolean => name.length === 19 && name.toLowerCase() === 'proxy-authorization'

function onceOnly(name: string, value: unknown): unknown {
  if (name.length !== 14 || typeof value !== 'string' || !value.includes(',') || name.toLowerCase() !== 'content-length') return value
  const [first, ...others] = value.split(',').map((part) => part.trim())
  return others.every((other) => other === first) ? first : value
}
