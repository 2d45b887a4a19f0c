import net from 'node:net'
import { type Listening, listen } from './listen.ts'

/**
 * What a SOCKS5 device does wrong.
 *
 * - `hang_method`, `hang_auth`, `hang_reply`: takes that message and says nothing. `hang_accept`: says nothing at all.
 * - `drop`: closes the connection instead of answering the CONNECT.
 * - `garbage`: answers the greeting like an HTTP server.
 * - `reply`: answers the CONNECT with this code (RFC 1928, 6).
 * - `method`: chooses this method, whatever was offered.
 */
type SocksFault =
  | { readonly kind: 'hang_accept' | 'hang_method' | 'hang_auth' | 'hang_reply' | 'drop' | 'garbage' }
  | { readonly kind: 'reply'; readonly code: number }
  | { readonly kind: 'method'; readonly method: number }

export interface SocksProxyOptions {
  /** `user:password` that it asks for. */
  auth?: string
  /** Source address of its connections to IPv4 targets. */
  egress?: string
  /** Where it listens. */
  host?: string
  /** What it resolves names to; others as the system does. */
  hosts?: Readonly<Record<string, string>>
  /** Sends its messages one byte at a time. */
  isDribbling?: boolean
  /** Answers with an address of this type: 1 IPv4, 3 name, 4 IPv6. */
  boundType?: 1 | 3 | 4
}

export interface SocksProxy extends Listening {
  readonly url: string
  fault: SocksFault | null
  egress: string
  readonly counts: { connections: number; connects: number }
  /** What each CONNECT asked for: type of address, address as sent, port. */
  readonly asked: { readonly type: number; readonly address: string; readonly port: number }[]
  /** User and password of the last exchange. */
  lastCredentials: string | undefined
}

/** A SOCKS5 server (CONNECT only) on loopback that can be told to misbehave. Written against RFC 1928 and 1929, not against our client. */
export async function startSocksProxy({
  auth,
  egress = '127.0.0.1',
  host: ownHost = '127.0.0.1',
  hosts = {},
  isDribbling = false,
  boundType = 1,
}: SocksProxyOptions = {}): Promise<SocksProxy> {
  const serve = async (socket: net.Socket): Promise<void> => {
    proxy.counts.connections++
    const fault = proxy.fault
    if (fault?.kind === 'hang_accept') {
      socket.resume()
      return
    }
    const read = reader(socket)
    const send = async (bytes: number[]): Promise<void> => {
      if (!isDribbling) socket.write(Buffer.from(bytes))
      else
        for (const byte of bytes) {
          socket.write(Buffer.from([byte]))
          await new Promise((resolve) => setImmediate(resolve))
        }
    }

    const [, methodCount = 0] = await read(2)
    const methods = [...(await read(methodCount))]
    if (fault?.kind === 'hang_method') return read.release()
    if (fault?.kind === 'garbage') {
      socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')
      return
    }
    const wanted = fault?.kind === 'method' ? fault.method : auth === undefined ? 0 : 2
    const isOffered = methods.includes(wanted) || fault?.kind === 'method'
    await send([5, isOffered ? wanted : 0xff])
    if (!isOffered || wanted === 0xff) {
      socket.end()
      return
    }
    if (wanted === 2) {
      const [, userLength = 0] = await read(2)
      const user = await read(userLength)
      const [passwordLength = 0] = await read(1)
      proxy.lastCredentials = `${user}:${await read(passwordLength)}`
      if (fault?.kind === 'hang_auth') return read.release()
      const isRight = proxy.lastCredentials === auth
      await send([1, isRight ? 0 : 1])
      if (!isRight) {
        socket.end()
        return
      }
    }

    const [, , , type = 0] = await read(4)
    const address =
      type === 1 ? [...(await read(4))].join('.') : type === 4 ? ipv6Text(await read(16)) : (await read((await read(1))[0] ?? 0)).toString()
    const port = (await read(2)).readUInt16BE()
    proxy.counts.connects++
    proxy.asked.push({ type, address, port })
    if (fault?.kind === 'hang_reply') return read.release()
    if (fault?.kind === 'drop') {
      socket.destroy()
      return
    }
    if (fault?.kind === 'reply') {
      await send([5, fault.code, 0, 1, 0, 0, 0, 0, 0, 0])
      socket.end()
      return
    }
    const host = hosts[address] ?? address
    const target = net.connect({ host, port, ...(net.isIPv4(host) ? { localAddress: proxy.egress } : {}) })
    target.on('error', (error) => {
      if (target.connecting) socket.end(Buffer.from([5, 'code' in error && error.code === 'ECONNREFUSED' ? 5 : 4, 0, 1, 0, 0, 0, 0, 0, 0]))
      else socket.destroy()
    })
    socket.on('close', () => target.destroy())
    target.on('connect', async () => {
      const bound = { 1: [127, 0, 0, 1], 3: [3, 102, 111, 111], 4: new Array<number>(16).fill(0) }[boundType]
      await send([5, 0, 0, boundType, ...bound, 1, 2])
      read.release()
      socket.pipe(target).pipe(socket)
    })
  }

  const listening = await listen(
    net.createServer((socket) => void serve(socket).catch(() => socket.destroy())),
    ownHost,
  )
  const credentials = auth === undefined ? '' : `${auth.split(':').map(encodeURIComponent).join(':')}@`
  const proxy: SocksProxy = {
    ...listening,
    url: `socks5://${credentials}${net.isIPv6(ownHost) ? `[${ownHost}]` : ownHost}:${listening.port}`,
    fault: null,
    egress,
    counts: { connections: 0, connects: 0 },
    asked: [],
    lastCredentials: undefined,
  }
  return proxy
}

/** Reads exactly so many bytes at a time; rejects when the peer leaves before. */
function reader(socket: net.Socket): { (bytes: number): Promise<Buffer>; release(): void } {
  let wake: () => void = () => {}
  const onReadable = (): void => wake()
  socket.on('readable', onReadable).on('end', onReadable).on('close', onReadable)
  const read = async (bytes: number): Promise<Buffer> => {
    if (bytes === 0) return Buffer.alloc(0)
    for (;;) {
      const chunk = socket.read(bytes) as Buffer | null
      if (chunk?.length === bytes) return chunk
      if (socket.destroyed || socket.readableEnded) throw new Error('the client left')
      await new Promise<void>((resolve) => {
        wake = resolve
      })
    }
  }
  return Object.assign(read, {
    release() {
      socket.off('readable', onReadable).off('end', onReadable).off('close', onReadable).resume()
    },
  })
}

/** Full form, as eight groups: what the client sent, byte by byte. */
const ipv6Text = (bytes: Buffer): string => Array.from({ length: 8 }, (_, index) => bytes.readUInt16BE(index * 2).toString(16)).join(':')
