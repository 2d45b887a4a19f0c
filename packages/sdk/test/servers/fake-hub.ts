import { randomUUID } from 'node:crypto'
import http from 'node:http'
import {
  type DeviceJson,
  device as deviceSchema,
  fleetRotateRequest,
  type HubEvent,
  isFinal,
  type ProblemJson,
  type RotationJson,
  rotation as rotationSchema,
} from '@mobilepool/sdk/contract'
import type { z } from 'zod'
import { type Listening, listen } from './listen.ts'

type RotationWish = z.infer<typeof fleetRotateRequest>

export interface FakeHub {
  readonly url: string
  readonly port: number
  readonly token: string
  /** Requests, as `GET /api/v1/proxy/list`. */
  readonly requests: string[]
  /** Bodies of requests for a rotation. */
  readonly rotationWishes: RotationWish[]
  /** `Last-Event-ID` of every stream that was opened. */
  readonly resumedFrom: string[]
  readonly streams: number
  /** Adds a device or changes it, and tells it. */
  put(name: string, changes: Partial<DeviceJson>): DeviceJson
  remove(name: string): void
  /** Sends any event. */
  send(event: HubEvent): void
  /** Sends text into the streams as it is. */
  sendRaw(text: string): void
  /** The state of a device's rotation from now on; tells it. The first call begins one. */
  rotation(name: string, changes: Partial<RotationJson>, options?: { tell?: boolean }): RotationJson
  /** Answers rotation requests with this problem; null: accepts them. */
  refuseRotations(problem: Pick<ProblemJson, 'code'> & Partial<ProblemJson>): void
  /** Answers everything with this status; null: as usual. */
  failWith(status: number | null): void
  /** Ends the streams; the hub stays. */
  dropStreams(): void
  /** Stops listening, ends everything; `start` comes back on the same port. With `forget`, its events begin anew. */
  stop(): Promise<void>
  start(options?: { forget?: boolean }): Promise<void>
  close(): Promise<void>
}

/** A real HTTP server that speaks the hub's contract as far as the SDK uses it. What it does with devices a test says. */
export async function startFakeHub(token = 'test-token'): Promise<FakeHub> {
  const devices = new Map<string, DeviceJson>()
  const rotations = new Map<string, RotationJson>()
  const running = new Map<string, string>()
  const requests: string[] = []
  const rotationWishes: RotationWish[] = []
  const resumedFrom: string[] = []
  const streams = new Set<http.ServerResponse>()
  let log: { id: number; text: string }[] = []
  let lastId = 0
  let epoch = 1
  let problem: ProblemJson | null = null
  let status: number | null = null
  let listening: Listening

  const now = (): string => new Date().toISOString()
  const eventId = (id: number): string => `${epoch}-${id}`
  const reply = (response: http.ServerResponse, code: number, body: object): void => {
    response.writeHead(code, { 'content-type': code < 300 ? 'application/json' : 'application/problem+json' }).end(JSON.stringify(body))
  }
  const problemBody = (code: ProblemJson['code'], httpStatus: number, more: Partial<ProblemJson> = {}): ProblemJson => ({
    type: `https://mobilepool.example/problems/${code}`,
    title: code,
    status: httpStatus,
    code,
    detail: `the hub says ${code}`,
    ...more,
  })

  const send = ({ name, data }: HubEvent): void => {
    lastId++
    const text = `id: ${eventId(lastId)}\nevent: ${name}\ndata: ${JSON.stringify(data)}\n\n`
    log.push({ id: lastId, text })
    for (const stream of streams) stream.write(text)
  }

  const openStream = (request: http.IncomingMessage, response: http.ServerResponse): void => {
    const from = String(request.headers['last-event-id'] ?? '')
    resumedFrom.push(from)
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.write(': hello\n\n')
    const [theirEpoch, theirId] = from.split('-').map(Number)
    if (theirEpoch !== epoch) response.write('event: reset\ndata: {}\n\n')
    else for (const { id, text } of log) if (id > (theirId ?? 0)) response.write(text)
    streams.add(response)
    response.on('close', () => streams.delete(response))
  }

  const findDevice = (ref: string): DeviceJson | undefined => devices.get(ref) ?? [...devices.values()].find(({ id }) => id === ref)

  const rotate = async (request: http.IncomingMessage, response: http.ServerResponse): Promise<void> => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const wish = fleetRotateRequest.parse(JSON.parse(Buffer.concat(chunks).toString()))
    rotationWishes.push(wish)
    const { device: ref = '', trigger } = wish
    const found = findDevice(ref)
    if (found === undefined) reply(response, 404, problemBody('not_found', 404))
    else if (problem !== null) reply(response, problem.status, problem)
    else if (running.has(found.name)) reply(response, 409, problemBody('rotation_running', 409, { rotation_id: running.get(found.name) }))
    else reply(response, 202, { rotations: [hub.rotation(found.name, { state: 'queued', trigger })], refused: [] })
  }

  const onRequest = (request: http.IncomingMessage, response: http.ServerResponse): void => {
    const path = (request.url ?? '').split('?')[0] ?? ''
    requests.push(`${request.method} ${path}`)
    const asked = rotations.get(/^\/api\/v1\/rotations\/(.+)$/.exec(path)?.[1] ?? '')
    if (status !== null) reply(response, status, problemBody('internal', status))
    else if (request.headers.authorization !== `Bearer ${token}`) reply(response, 401, problemBody('unauthorized', 401))
    else if (path === '/api/v1/proxy/list') {
      reply(response, 200, { total: devices.size, devices: [...devices.values()], last_event_id: eventId(lastId), timestamp: now() })
    } else if (path === '/api/v1/events') openStream(request, response)
    else if (path === '/api/v1/proxy/rotate') void rotate(request, response)
    else if (asked) reply(response, 200, asked)
    else reply(response, 404, problemBody('not_found', 404))
  }

  const hub: FakeHub = {
    get url() {
      return `http://127.0.0.1:${listening.port}`
    },
    get port() {
      return listening.port
    },
    token,
    requests,
    rotationWishes,
    resumedFrom,
    get streams() {
      return streams.size
    },
    put(name, changes) {
      const known = devices.get(name)
      const device = deviceSchema.parse({ ...(known ?? newDevice(name, now())), ...changes, updated_at: now() })
      devices.set(name, device)
      send({ name: 'device', data: device })
      return device
    },
    remove(name) {
      const device = devices.get(name)
      if (device === undefined) throw new Error(`no device ${name}`)
      devices.delete(name)
      send({ name: 'device_removed', data: { id: device.id, name } })
    },
    send,
    sendRaw(text) {
      for (const stream of streams) stream.write(text)
    },
    rotation(name, changes, { tell = true } = {}) {
      const device = devices.get(name)
      if (device === undefined) throw new Error(`no device ${name}`)
      const id = running.get(name) ?? randomUUID()
      const before = rotations.get(id) ?? newRotation(id, device, now())
      const ended = changes.state !== undefined && isFinal(changes.state) ? { ended_at: now(), duration_ms: 1_234 } : {}
      const rotation = rotationSchema.parse({ ...before, ...ended, ...changes })
      rotations.set(id, rotation)
      if (isFinal(rotation.state)) running.delete(name)
      else running.set(name, id)
      if (tell) send({ name: 'rotation', data: rotation })
      return rotation
    },
    refuseRotations({ code, ...more }) {
      problem = problemBody(code, more.status ?? 409, more)
    },
    failWith(code) {
      status = code
    },
    dropStreams() {
      for (const stream of streams) stream.destroy()
    },
    stop: () => listening.close(),
    async start({ forget = false } = {}) {
      if (forget) {
        epoch++
        log = []
        lastId = 0
      }
      listening = await listen(http.createServer(onRequest), '127.0.0.1', listening.port)
    },
    close: () => listening.close(),
  }
  listening = await listen(http.createServer(onRequest))
  return hub
}

const newDevice = (name: string, at: string): DeviceJson => ({
  id: randomUUID(),
  name,
  kind: 'agent',
  device_type: 'android',
  status: 'online',
  exit_ip: null,
  proxy_url: null,
  operator: null,
  region: null,
  tags: [],
  weight: 1,
  rotation_method: null,
  rotation_interval: 600,
  auto_rotation: true,
  last_heartbeat: at,
  last_ip_rotation: null,
  ip_changes: 0,
  rotations: { changed: 0, unchanged: 0, failed: 0 },
  last_rotation: null,
  created_at: at,
  updated_at: at,
})

const newRotation = (id: string, device: DeviceJson, at: string): RotationJson => ({
  id,
  device_id: device.id,
  device_name: device.name,
  trigger: 'forced',
  method: null,
  state: 'queued',
  old_ip: device.exit_ip,
  new_ip: null,
  reason: null,
  detail: null,
  created_at: at,
  ended_at: null,
  duration_ms: null,
})
