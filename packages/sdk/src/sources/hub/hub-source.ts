import type { Clock } from '../../clock.ts'
import type { DeviceJson, HubEvent, RotationTrigger } from '../../contract/index.ts'
import type { OwnLimits } from '../../core/limits.ts'
import { MobilePoolError } from '../../errors.ts'
import type { RotationResult } from '../../events.ts'
import type { DeviceRecord, DeviceSource, SourceListener } from '../device-source.ts'
import { type BackoffSettings, backoffMs } from './backoff.ts'
import { byGateway } from './by-gateway.ts'
import type { HubAddress, HubClient } from './hub-client.ts'
import { HubRotations } from './hub-rotations.ts'
import { pause } from './pause.ts'
import { readEvents } from './read-events.ts'
import type { SharedBans } from './shared-bans.ts'

export interface HubSourceParts {
  readonly client: HubClient
  readonly address: HubAddress
  /** Limits that the pool's options ask for; what they leave to defaults is not in it. */
  readonly asked: OwnLimits
  /** What every rotation is asked to hold that does not say it itself; undefined: what the hub has for the device. */
  readonly unique: string | undefined
  /** Null: bans are not shared. */
  readonly bans: Pick<SharedBans, 'hear' | 'catchUp'> | null
  readonly clock: Clock
  readonly random: () => number
  readonly backoff: BackoffSettings
}

/** A stream that ends sooner than this without a word was no stream: after a second one the next try waits. */
const QUICK_END_MS = 5_000

/**
 * The fleet as the hub tells it: its list once, then its stream of events, resumed where it broke off.
 * While the hub is down the pool keeps what it was told last.
 */
export class HubSource implements DeviceSource {
  readonly mayGrow = true
  readonly #parts: HubSourceParts
  #rotations: HubRotations | null = null
  readonly #stop = new AbortController()
  /** Where the stream goes on; null: the whole list is needed. */
  #lastEventId: string | null = null
  /** The stream was not resumed: bans may have been told that we did not hear of. */
  #hasMissedBans: boolean = false
  #failures = 0
  #quickEnds = 0
  #isUp: boolean = false
  #running: Promise<void> = Promise.resolve()

  constructor(parts: HubSourceParts) {
    this.#parts = parts
  }

  start(listener: SourceListener): void {
    const { client, clock } = this.#parts
    this.#rotations = new HubRotations({ client, clock, listener, signal: this.#stop.signal })
    this.#running = this.#run(listener)
  }

  async rotate(id: string, trigger: RotationTrigger, unique = this.#parts.unique): Promise<RotationResult> {
    if (this.#rotations === null) throw new MobilePoolError('MP_CLOSED', 'the pool has not begun')
    return this.#rotations.rotate(id, trigger, unique)
  }

  async close(): Promise<void> {
    this.#stop.abort(new MobilePoolError('MP_CLOSED', 'the pool is closed'))
    await this.#parts.client.close()
    await this.#running
  }

  async #run(listener: SourceListener): Promise<void> {
    while (!this.#stop.signal.aborted) {
      try {
        await this.#list(listener)
        await this.#follow(listener)
      } catch (error) {
        if (this.#stop.signal.aborted) return
        // Only a hub that does not answer is asked to go on from the same place. What broke the contract would break it again.
        if (!(error instanceof MobilePoolError && error.code === 'MP_HUB_UNREACHABLE')) this.#lastEventId = null
        await this.#rest(error, listener)
      }
    }
  }

  async #list(listener: SourceListener): Promise<void> {
    if (this.#lastEventId !== null) return
    const { devices, last_event_id: lastEventId } = await this.#parts.client.list(this.#stop.signal)
    this.#lastEventId = lastEventId
    listener.onSnapshot(devices.map((device) => toRecord(device, this.#parts)))
    this.#hasMissedBans = true
    this.#nowUp(listener)
  }

  /** Reads the stream until it ends. */
  async #follow(listener: SourceListener): Promise<void> {
    const { client, clock } = this.#parts
    const openedAt = clock.now()
    const text = await client.openEvents(this.#lastEventId ?? '', this.#stop.signal)
    this.#nowUp(listener)
    if (this.#hasMissedBans) void this.#parts.bans?.catchUp()
    this.#hasMissedBans = false
    let hasSpoken = false
    try {
      for await (const { id, event } of readEvents(text)) {
        hasSpoken = true
        if (id !== undefined && id !== '') this.#lastEventId = id
        if (event?.name === 'reset') this.#lastEventId = null
        if (this.#lastEventId === null) break
        if (event !== undefined) this.#apply(event, listener)
      }
    } catch (error) {
      if (error instanceof MobilePoolError) throw error
      // The connection broke: it is opened again at once, and only that failing is news.
    }
    const isQuick = !hasSpoken && clock.now() - openedAt < QUICK_END_MS
    this.#quickEnds = isQuick ? this.#quickEnds + 1 : 0
    if (this.#quickEnds > 1) {
      throw new MobilePoolError('MP_HUB_UNREACHABLE', 'the hub closes its stream of events at once', { phase: 'hub' })
    }
    this.#failures = 0
  }

  #apply(event: HubEvent, listener: SourceListener): void {
    switch (event.name) {
      case 'device':
        listener.onDevice(toRecord(event.data, this.#parts))
        return
      case 'device_removed':
        listener.onDeviceRemoved(event.data.id)
        return
      case 'ip_changed':
        listener.onExitIp(event.data.id, event.data.new_ip)
        return
      case 'rotation':
        this.#rotations?.note(event.data)
        return
      case 'quarantine':
        this.#parts.bans?.hear(event.data)
        return
      case 'heartbeats':
      case 'reset':
        return
    }
  }

  #nowUp(listener: SourceListener): void {
    if (this.#isUp) return
    this.#isUp = true
    listener.onUp()
  }

  async #rest(error: unknown, listener: SourceListener): Promise<void> {
    const { clock, random, backoff } = this.#parts
    this.#failures++
    this.#isUp = false
    const retryInMs = Math.round(backoffMs(this.#failures, random, backoff))
    const reason = error instanceof Error ? error.message : String(error)
    listener.onDown({ reason, retryInMs, isRefusal: error instanceof MobilePoolError && error.code === 'MP_HUB_REFUSED' })
    await pause(clock, retryInMs, this.#stop.signal)
  }
}

function toRecord(device: DeviceJson, { asked, address }: Pick<HubSourceParts, 'asked' | 'address'>): DeviceRecord {
  const limits = limitsOf(device, asked)
  // A hub that has none leaves it out.
  const gatewayUrl = device.proxy_url === null ? (device.gateway_url ?? null) : null
  return {
    id: device.id,
    name: device.name,
    proxyUrl: gatewayUrl === null ? device.proxy_url : byGateway(gatewayUrl, address),
    exitIp: device.exit_ip,
    // Who is busy is so at the hub's gateway; this pool counts its own requests.
    isOnline: device.status === 'online' || device.status === 'busy',
    isRotating: device.status === 'rotating',
    weight: device.weight,
    tags: device.tags,
    operator: device.operator,
    region: device.region,
    type: device.device_type,
    isByGateway: gatewayUrl !== null,
    // What the gateway says of itself in answers to plain requests would be taken for the site's.
    tunnel: gatewayUrl === null ? 'auto' : 'always',
    ...(limits === undefined ? {} : { limits }),
  }
}

/**
 * The limits that the device's owner set, or what the pool's options ask for where that is stricter. For what the owner did not set, and
 * for defaults that nobody asked for, the pool's own hold.
 */
function limitsOf({ concurrency, requests_per_minute: requestsPerMinute }: DeviceJson, asked: OwnLimits): OwnLimits | undefined {
  if ((concurrency ?? null) === null && (requestsPerMinute ?? null) === null) return undefined
  return {
    concurrency: stricter(concurrency, asked.concurrency),
    requestsPerMinute: stricter(requestsPerMinute, asked.requestsPerMinute),
  }
}

/** Undefined where the owner has set nothing. */
const stricter = (owners: number | null | undefined, asked: number | undefined): number | undefined =>
  owners === null || owners === undefined ? undefined : Math.min(owners, asked ?? owners)
