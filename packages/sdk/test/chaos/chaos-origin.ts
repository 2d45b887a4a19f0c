import { createHash } from 'node:crypto'
import http from 'node:http'
import https from 'node:https'
import { pipeline, Readable } from 'node:stream'
import { localhostCertificate } from '../servers/certificate.ts'
import { type Listening, listen } from '../servers/listen.ts'
import { markedBody, markedLength } from './marked-body.ts'

export interface ChaosOrigin extends Listening {
  readonly url: string
  /** How often each non-idempotent request has arrived: counted when its head is there, so that a half-sent one counts too. */
  readonly arrivals: ReadonlyMap<string, number>
}

/**
 * A site that answers `/ID/BYTES` with a marked body of so many bytes, after it has read the request's. With `?status=403` it answers that instead;
 * with `?chunked` it does not say how long its answer is.
 */
export async function startChaosOrigin({ tls }: { tls: boolean }): Promise<ChaosOrigin> {
  const arrivals = new Map<string, number>()
  let serial = 0

  const answer = async (request: http.IncomingMessage, response: http.ServerResponse): Promise<void> => {
    const url = new URL(request.url ?? '/', 'http://origin')
    const [, id = '', bytes = '0'] = url.pathname.split('/')
    if (request.method === 'POST') arrivals.set(id, (arrivals.get(id) ?? 0) + 1)
    const hash = createHash('sha1')
    try {
      for await (const chunk of request) hash.update(chunk as Buffer)
    } catch {
      return
    }
    const status = Number(url.searchParams.get('status') ?? 200)
    if (status !== 200) {
      response.writeHead(status).end(`status ${status}`)
      return
    }
    const mark = { id, serial: ++serial, bytes: Number(bytes), received: hash.digest('hex') }
    response.writeHead(200, {
      'content-type': 'application/octet-stream',
      ...(url.searchParams.has('chunked') ? {} : { 'content-length': markedLength(mark) }),
    })
    pipeline(Readable.from(markedBody(mark)), response, () => {})
  }

  const onRequest = (request: http.IncomingMessage, response: http.ServerResponse): void => void answer(request, response)
  const server = tls ? https.createServer(localhostCertificate, onRequest) : http.createServer(onRequest)
  server.keepAliveTimeout = 60_000
  const listening = await listen(server)
  return { ...listening, url: `${tls ? 'https' : 'http'}://127.0.0.1:${listening.port}`, arrivals }
}
