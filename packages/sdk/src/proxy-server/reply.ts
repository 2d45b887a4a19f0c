import type { ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { ignore } from './abort.ts'
import type { Failure } from './failure.ts'
import { replyStatuses } from './statuses.ts'

/** How long a client may take to read a last answer before its connection is destroyed. */
const LINGER_MS = 2_000

/** What a refused client is told: an RFC 9457 problem, its code also as a header. */
export interface Problem {
  readonly status: number
  readonly reason: string
  /** Flat list of fields. */
  readonly headers: readonly string[]
  readonly body: string
}

/** Whether a field can be sent as it is: a line break in it would begin another one. */
export const isSendable = ([name, value]: readonly [name: string, value: string]): boolean =>
  /^[!#$%&'*+.^_`|~0-9a-z-]+$/i.test(name) && /^[\t\x20-\x7e\x80-\xff]*$/.test(value)

/** Makes the answer for a failure. `realm` names the proxy where it asks for credentials; `more` are fields of an exchange. */
export function problemOf(failure: Failure, realm: string, more: ReadonlyMap<string, string> = new Map()): Problem {
  const entry: { status: number; reason: string; retryAfterS?: number } = replyStatuses[failure.code]
  const retryAfterS = failure.retryAfterS ?? entry.retryAfterS
  const body = JSON.stringify({
    type: 'about:blank',
    title: entry.reason,
    status: entry.status,
    code: failure.code,
    detail: failure.detail,
    ...(retryAfterS === undefined ? {} : { retry_after: retryAfterS }),
  })
  const headers = ['X-MobilePool-Error', failure.code, 'Content-Type', 'application/problem+json']
  if (retryAfterS !== undefined) headers.push('Retry-After', String(retryAfterS))
  if (failure.code === 'auth_required') headers.push('Proxy-Authenticate', `Basic realm="${realm}", charset="UTF-8"`)
  for (const field of more) if (field[0].toLowerCase() !== 'x-mobilepool-error' && isSendable(field)) headers.push(...field)
  headers.push('Content-Length', String(Buffer.byteLength(body)))
  return { status: entry.status, reason: entry.reason, headers, body }
}

/** Answers a plain request; the connection stays open for the next one. */
export function answerProblem(res: ServerResponse, problem: Problem): void {
  res.writeHead(problem.status, problem.reason, [...problem.headers])
  res.end(problem.body)
}

/** The head of an answer on a connection that is no longer Node's. */
export function headOf(status: number, reason: string, headers: readonly string[]): string {
  let head = `HTTP/1.1 ${status} ${reason}\r\n`
  for (let i = 0; i < headers.length; i += 2) head += `${headers[i]}: ${headers[i + 1]}\r\n`
  return `${head}\r\n`
}

/** Answers a CONNECT, an upgrade or something that was no request, and closes the connection once the client has had time to read. */
export function answerProblemAndClose(socket: Duplex, problem: Problem): void {
  socket.on('error', ignore)
  if (!socket.writable) {
    socket.destroy()
    return
  }
  socket.write(headOf(problem.status, problem.reason, [...problem.headers, 'Connection', 'close']) + problem.body)
  endGently(socket)
}

/** Closes a connection once the client has had time to read its answer. */
export function endGently(socket: Duplex): void {
  socket.end()
  // Unread input at close would make the kernel send a reset, which can overtake the answer.
  socket.resume()
  const linger = setTimeout(() => socket.destroy(), LINGER_MS)
  socket.on('close', () => clearTimeout(linger))
}
