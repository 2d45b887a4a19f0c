import { createServer, type RequestListener, type Server } from 'node:http'
import { type AddressInfo, createServer as createTcpServer, connect as dial, type Socket, type Server as TcpServer } from 'node:net'
import type { Duplex } from 'node:stream'
import { createProxyServer, type ExchangeSummary, type ProxyServer, type ProxyServerOptions, type ProxyTarget } from '../index.ts'
import { RawClient } from './raw-client.ts'

/** Connects to a target from the default address, as an exit does. */
export function connectDirectly(target: ProxyTarget): Promise<Duplex> {
  const socket = dial({ host: target.host, port: target.port, allowHalfOpen: true, noDelay: true })
  return new Promise((resolve, reject) => {
    socket.once('error', reject)
    socket.once('connect', () => {
      socket.off('error', reject)
      resolve(socket)
    })
  })
}

/** A proxy under test with what it reported. */
export interface TestProxy {
  readonly proxy: ProxyServer
  readonly port: number
  /** What `onClose` was told, in order. */
  readonly closed: ExchangeSummary<string>[]
  /** Waits for the first of them. */
  summary(): Promise<ExchangeSummary<string> | undefined>
  client(options?: { halfOpen?: boolean }): Promise<RawClient>
}

/** Starts proxies and targets on loopback and stops them all in the end. */
export class Rig {
  readonly #proxies: ProxyServer[] = []
  readonly #servers: (Server | TcpServer)[] = []
  readonly #sockets = new Set<Socket>()
  readonly #clients: RawClient[] = []

  async proxy(options: Partial<ProxyServerOptions<string>> = {}): Promise<TestProxy> {
    const closed: ExchangeSummary<string>[] = []
    const proxy = createProxyServer<string>({ connect: connectDirectly, onClose: (summary) => closed.push(summary), ...options })
    this.#proxies.push(proxy)
    const { port } = await proxy.listen(0)
    const client: TestProxy['client'] = async ({ halfOpen = false } = {}) => {
      const opened = await RawClient.open(port, halfOpen)
      this.#clients.push(opened)
      return opened
    }
    const summary = async (): Promise<ExchangeSummary<string> | undefined> => {
      await eventually(() => closed.length > 0, 'an exchange is over')
      return closed[0]
    }
    return { proxy, port, closed, summary, client }
  }

  /** A site; returns its port. */
  site(handler: RequestListener): Promise<number> {
    return this.#listen(createServer(handler))
  }

  /** A target that is scripted byte by byte; returns its port. */
  target(onConnection: (socket: Socket) => void): Promise<number> {
    return this.#listen(createTcpServer({ allowHalfOpen: true }, onConnection))
  }

  async #listen(server: Server | TcpServer): Promise<number> {
    this.#servers.push(server)
    server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => this.#sockets.delete(socket))
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return (server.address() as AddressInfo).port
  }

  /** Connections that targets have open. */
  get targetConnections(): number {
    return this.#sockets.size
  }

  async stop(): Promise<void> {
    for (const client of this.#clients) client.socket.destroy()
    await Promise.all(this.#proxies.map((proxy) => proxy.close()))
    for (const socket of this.#sockets) socket.destroy()
    await Promise.all(this.#servers.map((server) => new Promise((resolve) => server.close(resolve))))
  }
}

/** Waits until a condition holds; throws after five seconds. */
export async function eventually(condition: () => boolean, what: string): Promise<void> {
  const deadline = performance.now() + 5_000
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`did not happen within 5 s: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

/** Waits until a number has not changed for half a second, or has reached `enough`; returns it. */
export async function settled(read: () => number, enough: number): Promise<number> {
  let last = read()
  let sinceMs = performance.now()
  while (last < enough && (last === 0 || performance.now() - sinceMs < 500)) {
    await new Promise((resolve) => setTimeout(resolve, 20))
    if (read() !== last) sinceMs = performance.now()
    last = read()
  }
  return last
}

/** TCP sockets and servers of this process. */
export const openTcpHandles = (): number => process.getActiveResourcesInfo().filter((kind) => kind.startsWith('TCP')).length
