import { once } from 'node:events'
import http, { type Agent as HttpAgent } from 'node:http'
import https, { type Agent as HttpsAgent } from 'node:https'
import { text } from 'node:stream/consumers'
import type { SeenRequest } from './servers/origin.ts'

export interface Answer {
  readonly status: number
  readonly seen: SeenRequest
  readonly isReused: boolean
}

/** One request of node:http(s) through the agents of a pool, a view or a session. */
export async function ask(
  client: { readonly httpAgent: HttpAgent; readonly httpsAgent: HttpsAgent },
  url: string,
  options: https.RequestOptions = {},
  body?: string,
): Promise<Answer> {
  const { agent, request: send } = url.startsWith('https')
    ? { agent: client.httpsAgent, request: https.request }
    : { agent: client.httpAgent, request: http.request }
  const request = send(url, { agent, ...options })
  request.end(body)
  const [response] = (await once(request, 'response')) as [http.IncomingMessage]
  const said = await text(response)
  return {
    status: response.statusCode ?? 0,
    seen: said.startsWith('{') ? (JSON.parse(said) as SeenRequest) : ({ body: said } as SeenRequest),
    isReused: request.reusedSocket,
  }
}
