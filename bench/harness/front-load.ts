import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'

/** A proxy that is measured. */
export interface Front {
  readonly name: string
  readonly port: number
  readonly pid: number
  /** `Proxy-Authorization`, where it asks for it. */
  readonly authorization: string | null
  /** Where it is asked to lead to. @default a name that the device takes for itself */
  readonly target?: { readonly host: string; readonly port: number }
}

/** What came of so many exchanges. */
export interface Measured {
  readonly perSecond: number
  readonly p99Ms: number
  /** CPU time of the proxy, us each. */
  readonly cpuUs: number
}

/** Of Linux, whatever the kernel's own tick. */
const TICK_MS = 10
const HOST = 'shop.example.test'

/** CPU time of a process so far with all its threads, ms. */
function cpuMs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS
}

/** Memory that a process holds, bytes. */
const residentBytes = (pid: number): number =>
  Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1_024

const proxyHead = ({ authorization }: Front): string => (authorization === null ? '' : `Proxy-Authorization: ${authorization}\r\n`)

/** A tunnel to the target through a proxy. */
async function openTunnel(front: Front): Promise<Socket> {
  const socket = connect({ port: front.port, host: '127.0.0.1', noDelay: true })
  socket.on('error', () => {})
  const { host, port } = front.target ?? { host: HOST, port: 443 }
  socket.write(`CONNECT ${host}:${port} HTTP/1.1\r\nHost: ${host}:${port}\r\n${proxyHead(front)}\r\n`)
  const [head] = (await once(socket, 'data')) as [Buffer]
  if (!head.toString('latin1', 9, 12).startsWith('200')) throw new Error(`${front.name} refused a tunnel: ${head}`)
  return socket
}

/** Opens tunnels and closes them again, so many at a time. */
export const tunnels = (front: Front, concurrency: number, ms: number): Promise<Measured> =>
  measure(front, concurrency, ms, async () => async () => {
    const socket = await openTunnel(front)
    socket.destroy()
  })

/** Sends plain requests with small answers over kept connections, so many at a time. */
export const requests = (front: Front, concurrency: number, ms: number): Promise<Measured> =>
  measure(front, concurrency, ms, async () => {
    const { target } = front
    const host = target === undefined ? HOST : `${target.host}:${target.port}`
    const request = `GET http://${host}/bytes/64 HTTP/1.1\r\nHost: ${host}\r\nUser-Agent: bench\r\nAccept: text/html\r\n${proxyHead(front)}\r\n`
    let socket: Socket | null = null
    const send = (): Promise<void> =>
      new Promise((resolve, reject) => {
        const isReused = socket !== null && !socket.destroyed
        const used =
          socket !== null && isReused ? socket : connect({ port: front.port, host: '127.0.0.1', noDelay: true }).on('error', () => {})
        socket = used
        let text = ''
        const done = (): void => void used.off('data', onData).off('close', onClose)
        const onData = (chunk: Buffer): void => {
          text += chunk.toString('latin1')
          const end = text.indexOf('\r\n\r\n')
          if (end < 0 || text.length < end + 68) return
          done()
          if (/^HTTP\/1\.\d 200/.test(text)) resolve()
          else reject(new Error(`${front.name} refused a request: ${text.slice(0, 500)}`))
          // tinyproxy closes after each answer.
          if (/^connection: close/im.test(text)) used.destroy()
        }
        const onClose = (): void => {
          done()
          if (isReused && text === '') send().then(resolve, reject)
          else reject(new Error(`${front.name} closed a connection: ${text.slice(0, 500)}`))
        }
        used.on('data', onData).on('close', onClose)
        used.write(request)
      })
    return Object.assign(send, { end: () => void socket?.destroy() })
  })

async function measure(
  front: Front,
  concurrency: number,
  ms: number,
  begin: () => Promise<(() => Promise<void>) & { end?: () => void }>,
): Promise<Measured> {
  const workers = await Promise.all(Array.from({ length: concurrency }, begin))
  const times: number[] = []
  const startedAt = performance.now()
  const cpuBefore = cpuMs(front.pid)
  await Promise.all(
    workers.map(async (work) => {
      for (let at = performance.now(); at < startedAt + ms; at = performance.now()) {
        await work()
        times.push(performance.now() - at)
      }
      work.end?.()
    }),
  )
  const seconds = (performance.now() - startedAt) / 1_000
  const cpuUs = ((cpuMs(front.pid) - cpuBefore) * 1_000) / times.length
  times.sort((a, b) => a - b)
  return { perSecond: times.length / seconds, p99Ms: times[Math.floor(times.length * 0.99)] ?? 0, cpuUs }
}

/** Takes so many bytes through a tunnel, down or up; MB/s, and CPU seconds of the proxy per GB. */
export async function transfer(
  front: Front,
  bytes: number,
  direction: 'down' | 'up',
): Promise<{ mbPerSecond: number; cpuSecondsPerGb: number }> {
  const socket = await openTunnel(front)
  const cpuBefore = cpuMs(front.pid)
  const startedAt = performance.now()
  if (direction === 'down') {
    let left = bytes
    socket.write(`GET /bytes/${bytes} HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`)
    await new Promise<void>((resolve, reject) => {
      let isHead = true
      socket.on('data', (chunk: Buffer) => {
        left -= isHead ? chunk.length - chunk.indexOf('\r\n\r\n') - 4 : chunk.length
        isHead = false
        if (left === 0) resolve()
      })
      socket.on('close', () => reject(new Error(`${front.name}: ${left} bytes are missing`)))
    })
  } else {
    const block = Buffer.alloc(262_144, 'x')
    socket.write(`PUT / HTTP/1.1\r\nHost: ${HOST}\r\nContent-Length: ${bytes}\r\n\r\n`)
    const answered = once(socket, 'data')
    for (let left = bytes; left > 0; left -= block.length) {
      if (!socket.write(left >= block.length ? block : block.subarray(0, left))) await once(socket, 'drain')
    }
    await answered
  }
  const seconds = (performance.now() - startedAt) / 1_000
  const cpuSeconds = (cpuMs(front.pid) - cpuBefore) / 1_000
  socket.removeAllListeners('close').destroy()
  return { mbPerSecond: bytes / 1e6 / seconds, cpuSecondsPerGb: cpuSeconds / (bytes / 1e9) }
}

/** Memory that a proxy holds for so many tunnels in nobody's use, bytes. */
export async function idleTunnels(front: Front, count: number): Promise<number> {
  const before = residentBytes(front.pid)
  const sockets: Socket[] = []
  while (sockets.length < count)
    sockets.push(...(await Promise.all(Array.from({ length: Math.min(50, count - sockets.length) }, () => openTunnel(front)))))
  const held = residentBytes(front.pid) - before
  for (const socket of sockets) socket.destroy()
  return held
}
