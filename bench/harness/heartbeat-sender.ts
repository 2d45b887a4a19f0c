/**
 * A process that sends heartbeats over plain sockets, as cheaply as can be: what the hub can take is measured, and this process has its
 * share of the same cores. `startChild(…)`.
 */
import net from 'node:net'
import { serveParent } from '../../packages/sdk/test/servers/child.ts'

export interface Sent {
  answered: number
  /** Connections or requests that failed, and answers other than 200. */
  failed: number
  lastFailure: string | null
  seconds: number
  /** Time from a request to its answer: half of them, 99 of 100, all of them; ms. */
  p50: number
  p99: number
  most: number
}

const OK = 'HTTP/1.1 200'
const HEAD_END = '\r\n\r\n'

/** Whether the one answer that is awaited on a connection is complete. */
function isWhole(text: string): boolean {
  const end = text.indexOf(HEAD_END)
  if (end < 0) return false
  const [, length = '0'] = /content-length: (\d+)/i.exec(text) ?? []
  return text.length >= end + HEAD_END.length + Number(length)
}

const requestOf = (device: number, connection: string): string =>
  `GET /proxy_server?name=device-${device} HTTP/1.1\r\nHost: hub\r\nUser-Agent: curl/8.5.0\r\nAccept: */*\r\nConnection: ${connection}\r\n\r\n`

class Tally {
  readonly #times: number[] = []
  readonly #startedAt = performance.now()
  #failed = 0
  #lastFailure: string | null = null

  take(text: string, sentAt: number): void {
    if (text.startsWith(OK)) this.#times.push(performance.now() - sentAt)
    else this.fail(text.slice(0, 300))
  }

  fail(why: string): void {
    this.#failed++
    this.#lastFailure = why
  }

  get sent(): Sent {
    const times = Float64Array.from(this.#times).sort()
    const at = (share: number): number => times[Math.max(0, Math.ceil(times.length * share) - 1)] ?? Number.NaN
    return {
      answered: times.length,
      failed: this.#failed,
      lastFailure: this.#lastFailure,
      seconds: (performance.now() - this.#startedAt) / 1_000,
      p50: at(0.5),
      p99: at(0.99),
      most: at(1),
    }
  }
}

/** One connection: the next heartbeat follows the answer, until `goesOn` says no. */
function keepSending(port: number, nextRequest: () => string | null, tally: Tally): Promise<void> {
  return new Promise((resolve) => {
    const socket = net.connect({ port, host: '127.0.0.1', noDelay: true })
    let sentAt = 0
    let text = ''
    const next = (): void => {
      const request = nextRequest()
      if (request === null) return void socket.end()
      text = ''
      sentAt = performance.now()
      socket.write(request)
    }
    socket.on('connect', next)
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1')
      if (!isWhole(text)) return
      tally.take(text, sentAt)
      next()
    })
    socket.on('error', (error) => tally.fail(error.message))
    socket.on('close', () => resolve())
  })
}

/** One heartbeat on a connection of its own, as `curl` sends it. */
function sendOnce(port: number, device: number, tally: Tally): Promise<void> {
  return new Promise((resolve) => {
    const sentAt = performance.now()
    let text = ''
    const socket = net.connect({ port, host: '127.0.0.1', localAddress: `127.50.${device % 8}.1` })
    socket.on('connect', () => socket.write(requestOf(device, 'close')))
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1')
    })
    socket.on('error', (error) => tally.fail(error.message))
    socket.on('close', (hasFailed) => {
      if (!hasFailed) tally.take(text, sentAt)
      resolve()
    })
  })
}

const calls = {
  /** Heartbeats of so many devices over so many connections, for so long or so many. */
  async send(port: number, { devices, connections, ms, count }: { devices: number; connections: number; ms?: number; count?: number }) {
    const tally = new Tally()
    const until = performance.now() + (ms ?? Number.POSITIVE_INFINITY)
    const most = count ?? Number.POSITIVE_INFINITY
    let turn = 0
    const next = (): string | null => (turn < most && performance.now() < until ? requestOf(turn++ % devices, 'keep-alive') : null)
    await Promise.all(Array.from({ length: connections }, () => keepSending(port, next, tally)))
    return { ...tally.sent }
  },
  /** So many devices, each on a new connection, all at once. */
  async burst(port: number, devices: number) {
    const tally = new Tally()
    await Promise.all(Array.from({ length: devices }, (_, device) => sendOnce(port, device, tally)))
    return { ...tally.sent }
  },
}
export type HeartbeatCalls = typeof calls

serveParent(calls)
