import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { connect } from 'node:net'
import { createProxyServer, fixedCredentials } from '@mobilepool/sdk/proxy-server'
import { secret } from './secrets/trace.ts'

/** A box with a modem: a proxy whose traffic leaves by an address that its rotation link changes. */
export interface MobileBox {
  /** With credentials. */
  readonly proxyUrl: string
  /** The rotation link of its provider, whose path is the credential. */
  readonly link: string
  /** Requests that reached the link. */
  readonly calls: { method: string; url: string; headers: IncomingMessage['headers']; body: string }[]
  /** Where its traffic leaves. */
  exit: string
  /** While true the modem is away: nothing leaves. */
  isAway: boolean
  close(): Promise<void>
}

/** What the link does when it is called; by itself it answers nothing. */
export type OnCall = (box: MobileBox, reply: ServerResponse, request: IncomingMessage) => void

/** The link's credential: must be in no log and no answer. */
export const LINK_TOKEN = secret('Zt7-s3cret-link-token')

/** Starts a box; `onCall` answers as its provider would. */
export async function startBox(exit: string, onCall: OnCall): Promise<MobileBox> {
  const proxy = createProxyServer({
    authenticate: fixedCredentials({ username: 'parser', password: 'pr0xy-passw0rd' }),
    connect: async ({ host, port }) => {
      if (box.isAway) throw new Error('the modem is away')
      const socket = connect({ host, port, localAddress: box.exit })
      await once(socket, 'connect')
      return socket
    },
  })
  const server: Server = createServer(async (request, reply) => {
    let body = ''
    for await (const chunk of request) body += String(chunk)
    box.calls.push({ method: request.method ?? '', url: request.url ?? '', headers: request.headers, body })
    onCall(box, reply, request)
  }).listen(0, '127.0.0.1')
  const [listening] = await Promise.all([proxy.listen(0, '127.0.0.1'), once(server, 'listening')])
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  const box: MobileBox = {
    proxyUrl: `http://parser:pr0xy-passw0rd@127.0.0.1:${listening.port}`,
    link: `http://127.0.0.1:${address.port}/api-rt/changeip/${LINK_TOKEN}`,
    calls: [],
    exit,
    isAway: false,
    async close() {
      server.closeAllConnections()
      await Promise.all([proxy.close(), new Promise((resolve) => server.close(resolve))])
    },
  }
  return box
}

/** Answers like iProxy.online, then is away for a moment and comes back at another address. */
export const rotatesTo =
  (exit: string, awayMs = 300): OnCall =>
  (box, reply) => {
    reply.setHeader('content-type', 'application/json').end('{"ok":1}')
    box.isAway = true
    setTimeout(() => {
      box.exit = exit
      box.isAway = false
    }, awayMs)
  }
