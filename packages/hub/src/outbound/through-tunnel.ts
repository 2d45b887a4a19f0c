import { type IncomingMessage, request } from 'node:http'
import { isIP } from 'node:net'
import type { Duplex } from 'node:stream'
import { connect as connectTls } from 'node:tls'
import type { ProxyTarget } from '@mobilepool/sdk/proxy-server'

/** One request of the hub's own by a device that has dialled to it. */
export interface ThroughTunnel {
  /** Opens a connection by the device; its name is resolved there, and the device refuses what is not for it. */
  dial: (target: ProxyTarget, signal: AbortSignal) => Promise<Duplex>
  url: string
  timeoutMs: number
  maxBytes: number
  signal: AbortSignal
}

/** As `getThroughProxy`: one GET on a connection of its own, the text of a 200, else null. Never throws. */
export async function getThroughTunnel({ dial, url, timeoutMs, maxBytes, signal }: ThroughTunnel): Promise<string | null> {
  const { protocol, hostname, host, port, pathname, search } = new URL(url)
  const stop = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)])
  const name = hostname.replace(/^\[|\]$/g, '')
  const isTls = protocol === 'https:'
  let connection: Duplex | null = null
  try {
    const raw = await dial({ host: name, port: Number(port) || (isTls ? 443 : 80) }, stop)
    connection = isTls ? connectTls({ socket: raw, host: name, servername: isIP(name) === 0 ? name : '' }) : raw
    const answer = await ask(connection, { path: pathname + search, host, signal: stop })
    let text = ''
    for await (const chunk of answer) {
      text += String(chunk)
      if (text.length > maxBytes) return null
    }
    return answer.statusCode === 200 ? text : null
  } catch {
    return null
  } finally {
    connection?.on('error', () => {}).destroy()
  }
}

const ask = (connection: Duplex, { path, host, signal }: { path: string; host: string; signal: AbortSignal }): Promise<IncomingMessage> =>
  new Promise((resolve, reject) => {
    request({ createConnection: () => connection, path, headers: { host, connection: 'close' }, signal })
      .on('response', resolve)
      .on('error', reject)
      .end()
  })
