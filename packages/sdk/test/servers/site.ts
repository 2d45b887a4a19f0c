import http from 'node:http'
import https from 'node:https'
import { localhostCertificate } from './certificate.ts'
import { type Listening, listen } from './listen.ts'

/** Answers one request; `from` is the exit IP that it came from. */
export type SiteAnswer = (from: string, response: http.ServerResponse, request: http.IncomingMessage) => void

export interface Site extends Listening {
  readonly url: string
  /** Where requests came from, in order. */
  readonly exits: string[]
}

/** A target site on loopback whose answers are written by the test. */
export async function startSite(answer: SiteAnswer, { tls = false }: { tls?: boolean } = {}): Promise<Site> {
  const exits: string[] = []
  const onRequest = (request: http.IncomingMessage, response: http.ServerResponse): void => {
    const from = (request.socket.remoteAddress ?? '').replace(/^::ffff:/, '')
    exits.push(from)
    request.resume().on('end', () => answer(from, response, request))
  }
  const server = tls ? https.createServer(localhostCertificate, onRequest) : http.createServer(onRequest)
  server.keepAliveTimeout = 60_000
  const listening = await listen(server)
  return { ...listening, url: `${tls ? 'https' : 'http'}://127.0.0.1:${listening.port}`, exits }
}
