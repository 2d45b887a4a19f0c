import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import {
  type DeviceJson,
  device,
  type HubEventName,
  hubEvents,
  isFinal,
  type ProxyStatusJson,
  proxyStatus,
  publicEvents,
  type RotationJson,
  type RotationOutcome,
  type RotationState,
  statusReply,
} from '@mobilepool/sdk/contract'
import { onTestFinished } from 'vitest'
import { serveFile } from './static-files.ts'

/** What a test says of a device; the rest is ordinary. */
export type DeviceFacts = Partial<DeviceJson> & { name: string }

/** How the double behaves where a test does not ask for something else. */
export interface HubDoubleOptions {
  /** Does it answer without a key? @default true */
  readonly isPublic?: boolean
  /** The key that it takes. */
  readonly key?: string
  /** @default any free port */
  readonly port?: number
  /** Origin of another host that serves the page. */
  readonly allowOrigin?: string
}

/** Sent with everything, page included: the page has to work under it. */
const POLICY = "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'"

interface SentEvent {
  readonly id: number
  readonly name: HubEventName
  readonly data: unknown
}

/**
 * A hub for tests, over real HTTP: what it sends is checked against the contract, so that it cannot drift from the real one. It keeps a
 * fleet in memory, tells listeners what changes, resumes streams, and misbehaves on demand.
 */
export class HubDouble {
  readonly url: string
  /** Requests for `/status` and `/api/v1/events` so far, with what they carried. */
  readonly asked: { path: string; authorization: string | undefined; lastEventId: string | undefined }[] = []
  readonly #server: Server
  readonly #options: HubDoubleOptions
  readonly #devices = new Map<string, DeviceJson>()
  readonly #streams = new Map<ServerResponse, { withKey: boolean }>()
  readonly #events: SentEvent[] = []
  /** Differs from start to start: a position of the hub before it means nothing to this one. */
  readonly #epoch = randomUUID().slice(0, 8)
  /** Answers instead of the double when it returns true. */
  intercept: ((request: IncomingMessage, response: ServerResponse) => boolean) | null = null

  private constructor(server: Server, options: HubDoubleOptions) {
    this.#server = server
    this.#options = options
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
    server.on('request', (request, response) => this.#answer(request, response))
  }

  static async start(options: HubDoubleOptions = {}): Promise<HubDouble> {
    const server = createServer()
    server.listen(options.port ?? 0, '127.0.0.1')
    await new Promise((resolve, reject) => server.once('listening', resolve).once('error', reject))
    return new HubDouble(server, options)
  }

  /** Closes everything at once, as a killed process would. */
  async stop(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve))
    this.#server.closeAllConnections()
    await closed
  }

  get port(): number {
    return Number(new URL(this.url).port)
  }

  /** Where the events stand: the `last_event_id` of a snapshot taken now. */
  get position(): string {
    return `${this.#epoch}-${this.#events.at(-1)?.id ?? 0}`
  }

  get streamCount(): number {
    return this.#streams.size
  }

  /** Adds the device, or changes what is given, and tells it. Returns it as it is now. */
  put(facts: DeviceFacts): DeviceJson {
    const known = [...this.#devices.values()].find(({ name }) => name === facts.name)
    const now = { ...(known ?? ordinaryDevice()), ...facts }
    this.#devices.set(now.id, now)
    this.#tell('device', now)
    return now
  }

  remove(name: string): void {
    const { id } = this.#get(name)
    this.#devices.delete(id)
    this.#tell('device_removed', { id, name })
  }

  /** Signs of life of some devices, now. */
  beat(...names: string[]): void {
    const last_seen = new Date().toISOString()
    const devices = names.map((name) => {
      const beating = this.#get(name)
      this.#devices.set(beating.id, { ...beating, last_heartbeat: last_seen })
      return { id: beating.id, last_seen }
    })
    this.#tell('heartbeats', { devices })
  }

  changeIp(name: string, ip: string): void {
    const before = this.#get(name)
    const at = new Date().toISOString()
    this.#devices.set(before.id, { ...before, exit_ip: ip, ip_since: at, ip_changes: before.ip_changes + 1 })
    this.#tell('ip_changed', { id: before.id, name, old_ip: before.exit_ip, new_ip: ip, at })
  }

  /** Tells one step of a rotation; take the id from the first step for the following ones. The last one is counted first, as a hub does. */
  rotate(name: string, state: RotationState, more: Partial<RotationJson> = {}): RotationJson {
    const rotation: RotationJson = {
      id: randomUUID(),
      device_id: this.#get(name).id,
      device_name: name,
      trigger: 'forced',
      method: null,
      state,
      old_ip: null,
      new_ip: null,
      reason: null,
      detail: null,
      created_at: new Date().toISOString(),
      ended_at: null,
      duration_ms: null,
      ...more,
    }
    if (isFinal(state)) this.#count(name, rotation, state)
    this.#tell('rotation', rotation)
    return rotation
  }

  #count(name: string, { trigger, reason, ended_at, duration_ms }: RotationJson, outcome: RotationOutcome): void {
    const rotated = this.#get(name)
    this.#devices.set(rotated.id, {
      ...rotated,
      rotations: { ...rotated.rotations, [outcome]: rotated.rotations[outcome] + 1 },
      last_rotation: { outcome, trigger, reason, ended_at: ended_at ?? new Date().toISOString(), duration_ms: duration_ms ?? 0 },
    })
  }

  /** Breaks every stream off; the hub itself goes on. */
  cutStreams(): void {
    for (const stream of this.#streams.keys()) stream.destroy()
  }

  /** Writes to every stream what no contract has seen. */
  sendRaw(text: string): void {
    for (const stream of this.#streams.keys()) stream.write(text)
  }

  #get(name: string): DeviceJson {
    const found = [...this.#devices.values()].find((one) => one.name === name)
    if (!found) throw new Error(`the double has no device ${name}`)
    return found
  }

  #tell(name: HubEventName, data: unknown): void {
    const event = { id: (this.#events.at(-1)?.id ?? 0) + 1, name, data }
    this.#events.push(event)
    for (const [stream, { withKey }] of this.#streams) this.#write(stream, event, withKey)
  }

  #write(stream: ServerResponse, { id, name, data }: SentEvent, withKey: boolean): void {
    const schema = withKey ? hubEvents[name] : publicEvents[name]
    const seen = name === 'device' && !withKey ? asStatusLine(data as DeviceJson) : data
    stream.write(`id: ${this.#epoch}-${id}\nevent: ${name}\ndata: ${JSON.stringify(schema.parse(seen))}\n\n`)
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const { pathname } = new URL(request.url ?? '/', this.url)
    const { authorization } = request.headers
    const isApi = pathname === '/status' || pathname === '/api/v1/events'
    if (isApi && request.method === 'GET') {
      this.asked.push({ path: pathname, authorization, lastEventId: header(request, 'last-event-id') })
    }
    if (this.#options.allowOrigin) {
      response.setHeader('access-control-allow-origin', this.#options.allowOrigin)
      response.setHeader('access-control-allow-headers', 'authorization, last-event-id')
    }
    if (this.intercept?.(request, response)) return
    const withKey = this.#options.key !== undefined && authorization === `Bearer ${this.#options.key}`
    const isRefused = !withKey && (this.#options.isPublic === false || authorization !== undefined)
    if (request.method === 'OPTIONS') response.writeHead(204).end()
    else if (!isApi) serveFile(pathname, response, POLICY)
    else if (isRefused) refuse(response)
    else if (pathname === '/status') this.#sendStatus(response)
    else this.#openStream(request, response, withKey)
  }

  #sendStatus(response: ServerResponse): void {
    const proxies = [...this.#devices.values()].map(asStatusLine)
    const reply = {
      total: proxies.length,
      proxies,
      timestamp: new Date().toISOString(),
      last_event_id: this.position,
    }
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(statusReply.parse(reply)))
  }

  #openStream(request: IncomingMessage, response: ServerResponse, withKey: boolean): void {
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' })
    const [epoch, position = ''] = (header(request, 'last-event-id') ?? '').split('-')
    if (epoch !== this.#epoch) response.write('event: reset\ndata: {}\n\n')
    else for (const event of this.#events) if (event.id > Number(position)) this.#write(response, event, withKey)
    response.write(': open\n\n')
    this.#streams.set(response, { withKey })
    response.on('close', () => this.#streams.delete(response))
  }
}

function refuse(response: ServerResponse): void {
  const problem = { type: 'about:blank', title: 'A key is needed', status: 401, code: 'unauthorized', detail: 'Send a key.' }
  response.writeHead(401, { 'content-type': 'application/problem+json' }).end(JSON.stringify(problem))
}

function header(request: IncomingMessage, name: string): string | undefined {
  const value = request.headers[name]
  return Array.isArray(value) ? value[0] : value
}

function ordinaryDevice(): DeviceJson {
  const now = new Date().toISOString()
  return device.parse({
    id: randomUUID(),
    name: 'nameless',
    kind: 'agent',
    device_type: 'android',
    status: 'online',
    exit_ip: '127.10.1.1',
    proxy_url: 'http://user:hunter2@10.0.0.5:8080',
    operator: 'SKT',
    region: 'Seoul',
    tags: [],
    weight: 1,
    rotation_method: null,
    rotation_interval: 600,
    auto_rotation: true,
    last_heartbeat: now,
    last_ip_rotation: null,
    ip_changes: 0,
    rotations: { changed: 0, unchanged: 0, failed: 0 },
    last_rotation: null,
    created_at: now,
    updated_at: now,
  })
}

/** What a listener without a key sees of a device. */
function asStatusLine(whole: DeviceJson): ProxyStatusJson {
  return proxyStatus.parse({ ...whole, remote_ip: whole.exit_ip, last_seen: whole.last_heartbeat })
}

/** A double that stops when the test ends; opened before the page, it outlives it. */
export async function startHub(options: HubDoubleOptions = {}): Promise<HubDouble> {
  const hub = await HubDouble.start(options)
  onTestFinished(() => hub.stop())
  return hub
}
