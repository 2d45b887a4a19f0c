import { type IncomingHttpHeaders, request } from 'node:http'
import { trace } from './secrets/trace.ts'

/** What a request may have. */
export interface Ask {
  method?: string
  /** Sent as JSON. */
  body?: unknown
  /** Sent as it is, instead of `body`. */
  raw?: string
  key?: string
  headers?: Record<string, string>
  /** Loopback address to come from: the exit IP as the hub sees it. */
  from?: string
}

export interface Answer {
  status: number
  headers: IncomingHttpHeaders
  text: string
  // biome-ignore lint/suspicious/noExplicitAny: tests look into replies of many shapes
  json: any
}

/** One request on a connection of its own, from a chosen loopback address. */
export function send(url: string, { method = 'GET', body, raw, key, headers = {}, from }: Ask = {}): Promise<Answer> {
  const content = raw ?? (body === undefined ? undefined : JSON.stringify(body))
  return new Promise((resolve, reject) => {
    const sent = request(
      url,
      {
        method,
        agent: false,
        ...(from === undefined ? {} : { localAddress: from }),
        headers: {
          ...(content === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(content) }),
          ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
          ...headers,
        },
      },
      (reply) => {
        let text = ''
        reply.setEncoding('utf8')
        reply.on('data', (chunk: string) => {
          text += chunk
        })
        reply.on('end', () => {
          trace({ kind: 'answer', method, path: new URL(url).pathname, text: `${JSON.stringify(reply.headers)}\n${text}` })
          const isJson = /[/+]json/.test(reply.headers['content-type'] ?? '')
          resolve({
            status: reply.statusCode ?? 0,
            headers: reply.headers,
            text,
            json: isJson && text !== '' ? JSON.parse(text) : undefined,
          })
        })
        reply.on('error', reject)
      },
    )
    sent.on('error', reject)
    sent.end(content)
  })
}
