/** A process that reads a hub's API at a steady rate, and listens to its events. `startChild(…)`. */
import { Agent, type ClientRequest, request } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { send } from '../../packages/hub/test/client.ts'
import { serveParent } from '../../packages/sdk/test/servers/child.ts'
import { ADMIN_KEY } from './hub-process.ts'

const PATHS = {
  floor: ['/healthz'],
  mixed: [
    '/api/v1/admin/devices?limit=100',
    '/api/v1/proxy/list?limit=100',
    '/api/v1/proxy/random',
    '/api/v1/admin/devices/device-7',
    '/api/v1/rotations',
  ],
}
const EVENT_TIMEOUT_MS = 10_000
const headers = { authorization: `Bearer ${ADMIN_KEY}` }
const agent = new Agent({ keepAlive: true, maxSockets: 64 })

function read(url: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { agent, headers }, (reply) => {
      reply.resume()
      reply.on('end', () => (reply.statusCode === 200 ? resolve() : reject(new Error(`${url}: ${reply.statusCode}`))))
      reply.on('error', reject)
    })
    sent.on('error', reject)
    sent.end()
  })
}

/** A stream of events that calls back for each IP change; resolves when it is open. */
function listen(url: string, heard: (newIp: string) => void): Promise<ClientRequest> {
  return new Promise((resolve, reject) => {
    const sent = request(`${url}/api/v1/events`, { agent: false, headers }, (reply) => {
      let rest = ''
      reply.setEncoding('utf8')
      reply.on('data', (chunk: string) => {
        resolve(sent)
        const lines = (rest + chunk).split('\n\n')
        rest = lines.pop() ?? ''
        for (const event of lines) {
          const [, ip] = /event: ip_changed\ndata: .*"new_ip":"([^"]+)"/.exec(event) ?? []
          if (ip !== undefined) heard(ip)
        }
      })
      reply.on('error', () => {})
    })
    sent.on('error', reject)
    sent.end()
  })
}

const calls = {
  /** Reads at a steady rate, whether or not the former ones are answered; times are from when each was due. */
  async read(url: string, paths: keyof typeof PATHS, { perSecond, seconds }: { perSecond: number; seconds: number }) {
    const times: number[] = []
    const under: Promise<void>[] = []
    let failed = 0
    let lastFailure = ''
    const startedAt = performance.now()
    for (let n = 0; n < perSecond * seconds; n++) {
      const dueAt = startedAt + (n * 1_000) / perSecond
      const waitMs = dueAt - performance.now()
      if (waitMs > 0) await delay(waitMs)
      const path = PATHS[paths][n % PATHS[paths].length] ?? ''
      under.push(
        read(url + path).then(
          () => void times.push(performance.now() - dueAt),
          (error: Error) => {
            failed++
            lastFailure = error.message
          },
        ),
      )
    }
    await Promise.all(under)
    const sorted = times.sort((one, other) => one - other)
    const at = (share: number): number => sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN
    return { answered: sorted.length, failed, lastFailure, p50: at(0.5), p99: at(0.99), most: at(1) }
  },
  /** One device changes its IP again and again: for each time the ms from its heartbeat until every listener has heard of it. */
  async listen(url: string, { listeners, events }: { listeners: number; events: number }) {
    let received = 0
    let expected = ''
    let all: (() => void) | null = null
    let waiting = 0
    const streams = await Promise.all(
      Array.from({ length: listeners }, () =>
        listen(url, (ip) => {
          if (ip !== expected) return
          received++
          if (--waiting === 0) all?.()
        }),
      ),
    )
    const beat = (from: string) => send(`${url}/proxy_server?name=device-0`, { from })
    await beat('127.60.0.1')
    const times: number[] = []
    for (let n = 1; n <= events; n++) {
      expected = `127.60.0.${n + 1}`
      waiting = listeners
      const heard = new Promise<void>((resolve) => {
        all = resolve
      })
      const over = new AbortController()
      const askedAt = performance.now()
      const answered = beat(expected)
      await Promise.race([heard, delay(EVENT_TIMEOUT_MS, undefined, { signal: over.signal }).catch(() => {})])
      times.push(performance.now() - askedAt)
      over.abort()
      await answered
    }
    for (const stream of streams) stream.destroy()
    return { times, received }
  },
}
export type ReadCalls = typeof calls

serveParent(calls)
