import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type RequestListener, type Server } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'

/** What arrived at a far end. */
interface Arrived {
  method: string
  path: string
  headers: IncomingHttpHeaders
  text: string
  // biome-ignore lint/suspicious/noExplicitAny: tests look into bodies of many shapes
  json: any
}

/** How a far end answers: at once, or never. */
export type Reply = { status: number; headers?: Record<string, string>; body?: unknown } | 'hang' | 'cut'

/** A server on 127.0.0.1 that speaks a foreign API as told. */
export interface FarEnd {
  readonly url: string
  readonly arrived: Arrived[]
  /** What is answered from now on; the latest stays. */
  answer: (...replies: Reply[]) => void
  /** Resolves when so many have arrived. */
  until: (count: number) => Promise<void>
  close: () => Promise<void>
}

/** Starts one; `tls`: with this key and certificate. */
export async function startFarEnd(standard: Reply, tls?: { key: string; cert: string }): Promise<FarEnd> {
  const arrived: Arrived[] = []
  let replies: Reply[] = [standard]
  let told: () => void = () => {}
  const listener: RequestListener = async (request, response) => {
    let text = ''
    for await (const chunk of request) text += String(chunk)
    const { method = '', url: path = '', headers } = request
    arrived.push({ method, path, headers, text, json: text.startsWith('{') ? JSON.parse(text) : undefined })
    const reply = (replies.length > 1 ? replies.shift() : replies[0]) ?? standard
    told()
    if (reply === 'hang') return
    if (reply === 'cut') return void response.destroy()
    const { status, headers: extra = {}, body = '' } = reply
    const isText = typeof body === 'string'
    response.writeHead(status, { 'content-type': isText ? 'text/plain' : 'application/json', ...extra })
    response.end(isText ? body : JSON.stringify(body))
  }
  const server: Server = tls ? createTlsServer(tls, listener) : createServer(listener)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `${tls ? 'https' : 'http'}://127.0.0.1:${(server.address() as AddressInfo).port}`,
    arrived,
    answer: (...next) => {
      replies = next
    },
    until: async (count) => {
      while (arrived.length < count)
        await new Promise<void>((resolve) => {
          told = resolve
        })
    },
    close: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** The answers of a Telegram Bot API server. */
export const botApi = {
  ok: { status: 200, body: { ok: true, result: { message_id: 1 } } },
  no: (status: number, description: string, parameters?: object): Reply => ({
    status,
    body: { ok: false, error_code: status, description, ...(parameters ? { parameters } : {}) },
  }),
} as const
