import { ServerResponse } from 'node:http'
import { trace } from './trace.ts'

/** Of one piece of an answer: downloads of many MB hold nothing of a hub's own. */
const MOST = 64 * 1024

/**
 * Set up before each test file: whatever a hub of this process answers is noted, by whichever client it was asked. Of hubs in processes
 * of their own `send()` notes the answers. What other servers of the tests answer (boxes, sites) is theirs: hubs are known by the id that they
 * give each request.
 */
const { write, end } = ServerResponse.prototype
const tapped = new WeakSet<ServerResponse>()

function note(response: ServerResponse, chunk: unknown): void {
  if (!response.hasHeader('x-request-id')) return
  const head = tapped.has(response) ? '' : `${JSON.stringify(response.getHeaders())}\n`
  tapped.add(response)
  const text = typeof chunk === 'string' ? chunk.slice(0, MOST) : chunk instanceof Uint8Array ? textOf(chunk) : ''
  const { method = 'GET', url = '/' } = response.req
  if (head + text !== '') trace({ kind: 'answer', method, path: url.replace(/\?.*$/s, ''), text: head + text })
}

const textOf = (chunk: Uint8Array): string => Buffer.from(chunk.buffer, chunk.byteOffset, Math.min(chunk.byteLength, MOST)).toString()

ServerResponse.prototype.write = function (this: ServerResponse, ...args: Parameters<typeof write>) {
  note(this, args[0])
  return write.apply(this, args)
} as typeof write

ServerResponse.prototype.end = function (this: ServerResponse, ...args: Parameters<typeof end>) {
  note(this, args[0])
  return end.apply(this, args)
} as typeof end
