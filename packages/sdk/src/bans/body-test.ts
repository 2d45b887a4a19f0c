import type { BanMatch, InspectSettings } from './ban-rule.ts'
import { type CompiledRule, fits } from './compiled-rule.ts'
import { type Coding, codingOf, decodePrefix } from './decode-prefix.ts'

type Headers = Readonly<Record<string, string | string[] | undefined>>

/** The test that the beginning of one response's body has to pass. */
export class BodyTest {
  /** Bytes of the body that are enough to decide. */
  readonly bytes: number
  /** How long these may be waited for. */
  readonly maxWaitMs: number
  readonly #rules: readonly CompiledRule[]
  readonly #coding: Coding
  readonly #charset: string

  constructor(rules: readonly CompiledRule[], { bytes, maxWaitMs }: InspectSettings, coding: Coding, charset: string) {
    this.bytes = bytes
    this.maxWaitMs = maxWaitMs
    this.#rules = rules
    this.#coding = coding
    this.#charset = charset
  }

  /** The first rule that the beginning of the body fits; null when none does. */
  match(chunks: readonly Buffer[]): BanMatch | null {
    const [first] = chunks
    if (first === undefined) return null
    const wire = chunks.length === 1 ? first : Buffer.concat(chunks)
    const text = textOf(decodePrefix(wire.subarray(0, this.bytes), this.#coding), this.#charset)
    return this.#rules.find(({ body }) => body !== null && fits(body, text))?.match ?? null
  }
}

/** Statuses whose response has no body, or only a part of one (RFC 9110, 15.3.5 to 15.3.7, 15.4.5). */
const WITHOUT_WHOLE_BODY = new Set([204, 205, 206, 304])

/** The test for a response whose head fits these rules; null when it has no body that could be looked into. */
export function bodyTestFor(
  rules: readonly CompiledRule[],
  inspect: InspectSettings,
  method: string,
  statusCode: number,
  headers: Headers,
): BodyTest | null {
  if (method === 'HEAD' || WITHOUT_WHOLE_BODY.has(statusCode) || headers['content-length'] === '0') return null
  const coding = codingOf(headers['content-encoding'])
  if (coding === null) return null
  const contentType = headers['content-type']
  const type = typeof contentType === 'string' ? contentType : ''
  if (type !== '' && !isInspected(type, inspect.contentTypes)) return null
  return new BodyTest(rules, inspect, coding, /charset="?([^\s;"]+)/i.exec(type)?.[1] ?? 'utf-8')
}

function isInspected(contentType: string, wanted: readonly string[]): boolean {
  const end = contentType.indexOf(';')
  const type = (end < 0 ? contentType : contentType.slice(0, end)).trim().toLowerCase()
  return wanted.some((one) => one === type || (one.endsWith('/*') && type.startsWith(one.slice(0, -1))))
}

/** Text of any charset that Node knows; UTF-8 where the header names none or an unknown one. */
function textOf(bytes: Buffer, charset: string): string {
  if (/^utf-?8$/i.test(charset)) return bytes.toString('utf8')
  try {
    return new TextDecoder(charset).decode(bytes)
  } catch {
    return bytes.toString('utf8')
  }
}
