/**
 * Request headers reach a dispatcher in three shapes: a flat array (`[name, value, name, value]`), an object,
 * or an iterable of pairs. These functions read and rewrite all of them.
 */

type Pair = readonly [name: string, value: unknown]

/** Calls `visit` for each header, until it returns true; returns whether it did. A generator would cost more than all that is done with it. */
function some(headers: unknown, visit: (name: string, value: unknown) => boolean): boolean {
  if (headers === null || headers === undefined || typeof headers !== 'object') return false
  if (Array.isArray(headers)) {
    for (let i = 0; i + 1 < headers.length; i += 2) if (visit(String(headers[i]), headers[i + 1])) return true
    return false
  }
  if (Symbol.iterator in headers) {
    for (const [name, value] of headers as Iterable<Pair>) if (visit(String(name), value)) return true
    return false
  }
  for (const name in headers) {
    if (Object.hasOwn(headers, name) && visit(name, (headers as Record<string, unknown>)[name])) return true
  }
  return false
}

/** The first value of a header; undefined when it is not there. */
export function headerValue(headers: unknown, lowerCaseName: string): string | undefined {
  if (isPlain(headers)) {
    // Once a request and more: without a closure.
    for (const name in headers) {
      if (isNamed(name, lowerCaseName) && Object.hasOwn(headers, name)) return String(headers[name])
    }
    return undefined
  }
  let found: string | undefined
  some(headers, (name, value) => {
    if (!isNamed(name, lowerCaseName)) return false
    found = String(value)
    return true
  })
  return found
}

/**
 * The caller's headers as they may travel to the target: without `proxy-authorization` (that is between us and the device),
 * and with a `content-length` that the fetch of Node 20 and 22 wrote twice (`"5, 5"`) made one again: undici 7 refuses it.
 * Returns the same object when there is nothing to change.
 */
export function cleanHeaders(headers: unknown): unknown {
  if (!some(headers, needsCleaning)) return headers
  const flat: unknown[] = []
  some(headers, (name, value) => {
    if (!isHopHeader(name)) flat.push(name, onceOnly(name, value))
    return false
  })
  return flat
}

/** Headers of a request in absolute form: the target's `host` where the caller named none, and the device's credentials. */
export function forwardHeaders(headers: unknown, targetHost: string, authorization: string | null): unknown {
  if (isPlain(headers)) return forwardPlain(headers, targetHost, authorization)
  const flat: unknown[] = []
  let hasHost = false
  some(headers, (name, value) => {
    if (isHopHeader(name)) return false
    if (name.length === 4 && name.toLowerCase() === 'host') hasHost = true
    flat.push(name, onceOnly(name, value))
    return false
  })
  if (!hasHost) flat.push('host', targetHost)
  if (authorization !== null) flat.push('proxy-authorization', authorization)
  return flat
}

/** The same for an object, once a request: without a closure, and in an array of the right length. */
function forwardPlain(headers: Record<string, unknown>, targetHost: string, authorization: string | null): unknown[] {
  let count = authorization === null ? 0 : 1
  let hasHost = false
  for (const name in headers) {
    if (isHopHeader(name) || !Object.hasOwn(headers, name)) continue
    count++
    if (isNamed(name, 'host')) hasHost = true
  }
  const flat = new Array<unknown>(2 * (hasHost ? count : count + 1))
  let at = 0
  for (const name in headers) {
    if (isHopHeader(name) || !Object.hasOwn(headers, name)) continue
    flat[at++] = name
    flat[at++] = onceOnly(name, headers[name])
  }
  if (!hasHost) {
    flat[at++] = 'host'
    flat[at++] = targetHost
  }
  if (authorization !== null) {
    flat[at++] = 'proxy-authorization'
    flat[at++] = authorization
  }
  return flat
}

/** As one object with names in lower case, as undici's cache wants them. */
export function lowerCaseHeaders(headers: unknown): Record<string, string | string[]> {
  const plain: Record<string, string | string[]> = {}
  some(headers, (name, value) => {
    const key = name.toLowerCase()
    const values = Array.isArray(value) ? value.map(String) : [String(value)]
    const all = [plain[key] ?? [], values].flat()
    plain[key] = all.length === 1 && !Array.isArray(value) ? (all[0] ?? '') : all
    return false
  })
  return plain
}

/** The headers with these, by lower-case name, in place of any of the same names. */
export function withHeaders(headers: unknown, added: Readonly<Record<string, string>>): unknown[] {
  const flat: unknown[] = []
  some(headers, (name, value) => {
    if (!Object.hasOwn(added, name.toLowerCase())) flat.push(name, value)
    return false
  })
  return [...flat, ...Object.entries(added).flat()]
}

/** An object of names and values. */
const isPlain = (headers: unknown): headers is Record<string, unknown> =>
  typeof headers === 'object' && headers !== null && !Array.isArray(headers) && !(Symbol.iterator in headers)

const isNamed = (name: string, lowerCaseName: string): boolean =>
  name.length === lowerCaseName.length && (name === lowerCaseName || name.toLowerCase() === lowerCaseName)

const needsCleaning = (name: string, value: unknown): boolean => isHopHeader(name) || onceOnly(name, value) !== value

const isHopHeader = (name: string): boolean => name.length === 19 && name.toLowerCase() === 'proxy-authorization'

function onceOnly(name: string, value: unknown): unknown {
  if (name.length !== 14 || typeof value !== 'string' || !value.includes(',') || name.toLowerCase() !== 'content-length') return value
  const [first, ...others] = value.split(',').map((part) => part.trim())
  return others.every((other) => other === first) ? first : value
}
