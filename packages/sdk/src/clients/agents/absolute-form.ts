import type { ClientRequest } from 'node:http'

/** What Node keeps of a request that has no socket yet: the head as text, and what waits to be written, the head first. */
interface Unsent {
  _header: string | null
  outputData: { data: string | Buffer }[]
}

/**
 * Turns a request that has no socket yet into one for a device's proxy: absolute form, with the proxy's credentials.
 * Only now is it known which device it is, and `request.end()` has usually written the head already: then its text is changed.
 */
export function toAbsoluteForm(request: ClientRequest, origin: string, authorization: string | null): void {
  const unsent = request as unknown as Unsent
  const before = unsent._header
  if (typeof before !== 'string') {
    request.path = absolute(request.path, origin)
    if (authorization === null) request.removeHeader('proxy-authorization')
    else request.setHeader('proxy-authorization', authorization)
    return
  }
  const endOfLine = before.indexOf('\r\n')
  const credentials = authorization === null ? '' : `\r\nProxy-Authorization: ${authorization}`
  const rest = before.slice(endOfLine).replace(/\r\nproxy-authorization:[^\r]*/gi, '')
  const after = `${request.method} ${absolute(request.path, origin)} HTTP/1.1${credentials}${rest}`
  unsent._header = after
  const [first] = unsent.outputData
  if (first === undefined) return
  // The first piece begins with the head; Node joins head and first string of the body.
  if (typeof first.data !== 'string' || !first.data.startsWith(before))
    throw new Error('the head of the request is not where Node keeps it')
  first.data = after + first.data.slice(before.length)
}

const absolute = (path: string, origin: string): string => (/^[a-z]+:\/\//i.test(path) ? path : origin + path)
