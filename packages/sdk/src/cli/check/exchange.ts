import http from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'

/** An answer, as far as a check needs it. */
export interface Answer {
  readonly statusCode: number
  readonly body: string
  /** From sending the request to the head of the answer, ms. */
  readonly firstByteMs: number
}

/** An echo answers in a few hundred bytes, also with the headers; more is some other page. */
const LONGEST_BODY = 65_536

/** What these checks send besides Host and Connection. */
export const sentHeaders = { accept: '*/*', 'user-agent': 'mobilepool-check' } as const

/** Sends one GET over an open connection and ends the connection. Rejects when no whole answer came in time. */
export function exchange(
  socket: Duplex,
  { path, host, headers = {}, timeoutMs }: { path: string; host: string; headers?: Record<string, string>; timeoutMs: number },
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const startedAt = performance.now()
    const fail = (error: Error): void => {
      clearTimeout(timer)
      socket.destroy()
      reject(error)
    }
    const timer = setTimeout(() => fail(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs)
    // The types ask for a Socket; any Duplex will do.
    const request = http.request({ createConnection: () => socket as Socket, path, headers: { host, ...sentHeaders, ...headers } })
    request.on('error', fail)
    request.on('response', (response) => {
      const firstByteMs = Math.round(performance.now() - startedAt)
      let body = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => {
        body += chunk
        if (body.length > LONGEST_BODY) fail(new Error(`the answer is longer than ${LONGEST_BODY} bytes: is it an echo?`))
      })
      response.on('error', fail)
      response.on('end', () => {
        clearTimeout(timer)
        socket.destroy()
        resolve({ statusCode: response.statusCode ?? 0, body, firstByteMs })
      })
    })
    request.end()
  })
}
