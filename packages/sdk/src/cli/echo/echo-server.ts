import http from 'node:http'
import type { AddressInfo } from 'node:net'

/** An echo that listens. */
export interface EchoServer {
  readonly host: string
  readonly port: number
  /** Stops, and ends what is open. */
  close(): Promise<void>
}

/** What the echo answers. */
interface EchoBody {
  /** The address from which the request came; an IPv4 address is never shown as IPv6. */
  readonly ip: string
  readonly method: string
  readonly path: string
  /** As they arrived; of a name that came twice the values are joined. */
  readonly headers: Readonly<Record<string, string>>
}

/** An echo is asked one small thing: whoever takes longer or asks more is cut off. */
const LIMITS = { headersTimeout: 10_000, requestTimeout: 10_000, keepAliveTimeout: 5_000, maxHeaderSize: 16_384 }
const MAX_CONNECTIONS = 1_000

/**
 * Answers every request with what it saw of it, as JSON: the sender's address and the headers. It says nothing that its asker did not
 * send, so it may listen on a public address. Rejects with the operating system's error when the address cannot be had.
 */
export async function startEchoServer({ port, host }: { port: number; host: string }): Promise<EchoServer> {
  const server = http.createServer(LIMITS, (request, response) => {
    const body: EchoBody = {
      ip: (request.socket.remoteAddress ?? '').replace(/^::ffff:(?=\d+\.)/i, ''),
      method: request.method ?? '',
      path: request.url ?? '',
      headers: Object.fromEntries(Object.entries(request.headersDistinct).map(([name, values]) => [name, (values ?? []).join(', ')])),
    }
    request.resume()
    response.writeHead(200, { 'content-type': 'application/json', 'cache-control': 'no-store' })
    response.end(`${JSON.stringify(body)}\n`)
  })
  server.maxConnections = MAX_CONNECTIONS
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, resolve)
  })
  const address = server.address() as AddressInfo
  return {
    host: address.address,
    port: address.port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
