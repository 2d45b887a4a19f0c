/**
 * A process with proxies that answer everything themselves, as cheaply as can be: what a client costs is measured, not what is behind it.
 * Absolute form and CONNECT; inside a tunnel to port 443 it speaks TLS. `startChild(…, [how many])`.
 */
import net from 'node:net'
import tls from 'node:tls'
import { localhostCertificate } from '../../packages/sdk/test/servers/certificate.ts'
import { serveParent } from '../../packages/sdk/test/servers/child.ts'
import { listen } from '../../packages/sdk/test/servers/listen.ts'
import { cannedReply } from './canned-reply.ts'

const HEAD_END = '\r\n\r\n'
const KEEP = cannedReply('keep-alive')
const CLOSE = cannedReply('close')

const secureContext = tls.createSecureContext(localhostCertificate)

/** Answers every request head on the connection. Requests have no bodies here. */
function answerAll(socket: net.Socket): void {
  let rest = ''
  socket.on('error', () => {})
  socket.on('data', (chunk: Buffer) => {
    rest += chunk.toString('latin1')
    for (let end = rest.indexOf(HEAD_END); end >= 0; end = rest.indexOf(HEAD_END)) {
      const head = rest.slice(0, end)
      rest = rest.slice(end + HEAD_END.length)
      if (head.startsWith('CONNECT ')) {
        socket.write(`HTTP/1.1 200 OK${HEAD_END}`)
        if (/^CONNECT \S+:443 /.test(head)) {
          socket.removeAllListeners('data')
          answerAll(new tls.TLSSocket(socket, { isServer: true, secureContext }))
          return
        }
      } else if (/\r\nconnection: close/i.test(head)) socket.end(CLOSE)
      else socket.write(KEEP)
    }
  })
}

const servers = await Promise.all(
  Array.from({ length: Number(process.argv[2]) }, () =>
    listen(
      net.createServer((socket) => {
        socket.setNoDelay(true)
        answerAll(socket)
      }),
    ),
  ),
)

const calls = { urls: () => servers.map(({ port }) => `http://127.0.0.1:${port}`) }
export type CannedCalls = typeof calls

serveParent(calls)
