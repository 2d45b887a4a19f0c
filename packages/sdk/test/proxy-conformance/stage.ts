import { type AddressInfo, createServer, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { afterAll, beforeAll } from 'vitest'
import { createProxyServer, type ExchangeSummary, type ProxyServer, type ProxyServerOptions } from '../../src/proxy-server/index.ts'
import { type Ending, RawClient } from '../../src/proxy-server/testing/raw-client.ts'
import { connectDirectly, eventually, openTcpHandles } from '../../src/proxy-server/testing/rig.ts'
import { localhostCertificate } from '../servers/certificate.ts'

/** The usual answer of the stage's target. */
export const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'

/** A byte as it is written in a table. */
export const bytes = (...values: number[]): string => String.fromCharCode(...values)

/** What a client does, byte by byte. */
export interface Script {
  /** Written at once, or in pieces one after the other; `PORT` in it is the target's. */
  readonly send: string | readonly string[]
  /** What must have come before the client ends its side. @default a whole head */
  readonly until?: RegExp
  /** What the target answers. @default OK */
  readonly answer?: string
  /** What it answers at, once. @default the end of a head */
  readonly answersAt?: string
  /** The client speaks TLS. @default false */
  readonly isTls?: boolean
}

/** What came of it. */
interface Outcome {
  /** What the client got, in latin1. */
  readonly got: string
  readonly ending: Ending
  /** What each connection to the target carried. */
  readonly upstream: readonly string[]
}

/** A proxy and one target on loopback, for one file of cases. */
export interface ProxyStage {
  readonly proxy: ProxyServer
  readonly port: number
  readonly targetPort: number
  readonly closed: ExchangeSummary<string>[]
  play(script: Script): Promise<Outcome>
}

/** After this long a case has failed: what hangs is seen as a reset without an answer. */
const PATIENCE_MS = 5_000

const HEAD_OF_AN_ANSWER = /HTTP\/1\.1 \d{3} [\s\S]*\r\n\r\n/

/** Opens a stage before a file's tests and closes it after them, when no socket may be left. */
export function onStage(options: Partial<ProxyServerOptions<string>> = {}, { hasTls = true } = {}): ProxyStage {
  const closed: ExchangeSummary<string>[] = []
  let carried: string[] = []
  const sockets = new Set<Socket>()
  let script: Script = { send: '' }
  const target = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket)
    const at = carried.push('') - 1
    const mine = carried
    socket.setEncoding('latin1')
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
    let isAnswered = false
    socket.on('data', (text: string) => {
      mine[at] += text
      if (isAnswered || !mine[at]?.includes(script.answersAt ?? '\r\n\r\n')) return
      isAnswered = true
      socket.write(script.answer ?? OK, 'latin1')
    })
    socket.on('end', () => socket.end())
  })
  const proxy = createProxyServer<string>({
    connect: connectDirectly,
    ...(hasTls ? { tls: localhostCertificate } : {}),
    onClose: (it) => closed.push(it),
    ...options,
  })
  const stage = {
    proxy,
    closed,
    port: 0,
    targetPort: 0,
    play: async (next: Script): Promise<Outcome> => {
      script = next
      carried = []
      const client = await open(stage.port, next.isTls ?? false)
      const pieces = typeof next.send === 'string' ? [next.send] : next.send
      for (const piece of pieces) {
        client.send(piece.replaceAll('PORT', String(stage.targetPort)))
        if (pieces.length > 1) await new Promise((resolve) => setImmediate(resolve))
      }
      const late = setTimeout(() => client.socket.destroy(new Error('the proxy did not say it in time')), PATIENCE_MS)
      await client.until(next.until ?? HEAD_OF_AN_ANSWER).catch(() => {})
      client.socket.end()
      const ending = await client.closed
      clearTimeout(late)
      await eventually(() => sockets.size === 0, 'the connections to the target are closed')
      await eventually(() => proxy.activeCount === 0, 'nothing is under way')
      return { got: client.received, ending, upstream: carried }
    },
  }
  beforeAll(async () => {
    stage.port = (await proxy.listen(0)).port
    await new Promise<void>((resolve) => target.listen(0, '127.0.0.1', resolve))
    stage.targetPort = (target.address() as AddressInfo).port
  })
  afterAll(async () => {
    await proxy.close()
    for (const socket of sockets) socket.destroy()
    await new Promise((resolve) => target.close(resolve))
    await eventually(() => openTcpHandles() === 0, 'no socket is left')
  })
  return stage
}

async function open(port: number, isTls: boolean): Promise<RawClient> {
  const plain = await RawClient.open(port, true)
  if (!isTls) return plain
  const socket = connectTls({ socket: plain.socket, servername: 'localhost', ca: localhostCertificate.cert })
  await new Promise<void>((resolve, reject) => {
    socket.once('secureConnect', resolve)
    socket.once('error', reject)
  })
  return RawClient.over(socket)
}
