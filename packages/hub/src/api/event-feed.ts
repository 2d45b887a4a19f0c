import { randomBytes } from 'node:crypto'
import type { HubEvent, PublicEvent } from '@mobilepool/sdk/contract'
import { alertJson } from '../alerts/alert-json.ts'
import { isPending } from '../fleet/device.ts'
import type { FleetEvent, FleetEvents } from '../fleet/events.ts'
import type { Fleet } from '../fleet/fleet.ts'
import { deviceJson, statusLine } from './device-wire.ts'
import { rotationJson } from './rotation-wire.ts'
import { stamp } from './stamp.ts'
import { banJson } from './wire.ts'

/** Events kept for listeners that come back. */
const RING_SIZE = 1_000
const KEEP_ALIVE_MS = 15_000

/** How much of the fleet a listener sees: `public` no secrets, `proxy` no pending names, `admin` all. */
export type View = 'public' | 'proxy' | 'admin'

/** One who listens. */
export interface Listener {
  view: View
  /** The key or login that it came with, so that the stream ends with it. */
  callerId: string | null
  /** The user that it belongs to, so that it ends when he is deactivated. */
  userId: string | null
  write(text: string): void
  end(): void
}

const TOLD = ['device', 'device_removed', 'heartbeats', 'ip_changed', 'rotation', 'quarantine', 'alert'] as const

/** The events that leave the hub; the others are between its parts. */
type ToldEvent = Extract<FleetEvent, { type: (typeof TOLD)[number] }>

const isForListeners = (event: FleetEvent): event is ToldEvent => (TOLD as readonly string[]).includes(event.type)

interface Entry {
  seq: number
  /** The server-sent event as each view gets it; null: not at all. */
  text: Record<View, string | null>
}

/** The fleet's events as server-sent events: numbered, kept for a while, handed to every listener. */
export class EventFeed {
  readonly #fleet: Fleet
  readonly #now: () => number
  /** Tells this process's numbers from those of the one before. */
  readonly #boot = randomBytes(4).toString('hex')
  readonly #ring: Entry[] = []
  readonly #listeners = new Set<Listener>()
  readonly #keepAlive: NodeJS.Timeout
  readonly #stop: () => void
  #seq = 0
  /** The newest number that anybody was told while nobody listened: who comes back brings this one at the latest. */
  #told = 0

  constructor(fleet: Fleet, events: FleetEvents, now: () => number) {
    this.#fleet = fleet
    this.#now = now
    const take = (event: FleetEvent): void => this.#take(event)
    events.on('event', take)
    this.#stop = () => events.off('event', take)
    this.#keepAlive = setInterval(() => {
      for (const listener of this.#listeners) listener.write(': still here\n\n')
    }, KEEP_ALIVE_MS)
  }

  /** Where a stream begins that misses nothing from now on. */
  get lastEventId(): string {
    this.#told = this.#seq
    return this.#id(this.#seq)
  }

  /** How many listen. */
  get size(): number {
    return this.#listeners.size
  }

  /** Adds a listener: what came after `lastEventId` first, or `reset` when that is no longer known. */
  add(listener: Listener, lastEventId: string | null): void {
    const missed = lastEventId === null ? [] : this.#since(lastEventId)
    if (missed === null) listener.write(frame({ name: 'reset', data: {} }, this.lastEventId))
    else for (const { text } of missed) if (text[listener.view] !== null) listener.write(text[listener.view] ?? '')
    this.#listeners.add(listener)
    this.#told = this.#seq
  }

  remove(listener: Listener): void {
    this.#listeners.delete(listener)
  }

  /** Ends the streams of a key that was revoked, a login that is over, or a user. */
  endOf(id: string): void {
    for (const listener of this.#listeners) if (listener.callerId === id || listener.userId === id) listener.end()
  }

  /** Ends every stream. */
  close(): void {
    clearInterval(this.#keepAlive)
    this.#stop()
    for (const listener of this.#listeners) listener.end()
  }

  #id(seq: number): string {
    return `${this.#boot}-${seq}`
  }

  /** What came after an id; null when it is of another process or too old. */
  #since(lastEventId: string): Entry[] | null {
    const [boot, text = ''] = lastEventId.split('-')
    const seq = Number(text)
    const oldest = this.#ring[0]?.seq ?? this.#seq + 1
    if (boot !== this.#boot || !/^\d+$/.test(text) || seq > this.#seq || seq < oldest - 1) return null
    return this.#ring.filter((entry) => entry.seq > seq)
  }

  #take(event: FleetEvent): void {
    if (!isForListeners(event)) return
    // "Last seen" alone is not worth a place in the ring, and without a number it does not move a listener's place in it.
    if (event.type === 'heartbeats') {
      if (this.#listeners.size > 0) this.#hand(this.#texts(event, null))
      return
    }
    this.#seq += 1
    // Ten thousand new names at second :00 need not be written out for nobody.
    if (!this.#isAwaited()) {
      this.#ring.length = 0
      return
    }
    const text = this.#texts(event, this.#id(this.#seq))
    this.#ring.push({ seq: this.#seq, text })
    if (this.#ring.length > RING_SIZE) this.#ring.shift()
    this.#hand(text)
  }

  /** Whether anybody listens, or was told a number from which the ring can still be read. */
  #isAwaited(): boolean {
    if (this.#listeners.size > 0) this.#told = this.#seq
    return this.#seq - this.#told <= RING_SIZE
  }

  #hand(text: Entry['text']): void {
    for (const listener of this.#listeners) if (text[listener.view] !== null) listener.write(text[listener.view] ?? '')
  }

  #texts(event: ToldEvent, id: string | null): Record<View, string | null> {
    if (event.type === 'device') {
      const { device } = event
      const whole = frame({ name: 'device', data: deviceJson(device, this.#fleet) }, id)
      return {
        public: frame({ name: 'device', data: statusLine(device, this.#fleet) }, id),
        proxy: isPending(device) ? null : whole,
        admin: whole,
      }
    }
    if (event.type === 'quarantine') {
      const bans = event.records.map((record) => banJson(record, this.#now()))
      // Which sites somebody works with is nobody's business.
      const told = frame({ name: 'quarantine', data: { reporter: event.reporter, bans } }, id)
      return { public: null, proxy: told, admin: told }
    }
    if (event.type === 'alert') return { public: null, proxy: null, admin: frame({ name: 'alert', data: alertJson(event.alert) }, id) }
    const same = frame(plain(event), id)
    if (event.type !== 'rotation') return { public: same, proxy: same, admin: same }
    // Its remark may say which site had banned the exit: that is nobody's business.
    return { public: frame({ name: 'rotation', data: { ...rotationJson(event.rotation), detail: null } }, id), proxy: same, admin: same }
  }
}

/** The events that everybody gets alike. */
function plain(event: Exclude<ToldEvent, { type: 'device' | 'quarantine' | 'alert' }>): HubEvent {
  switch (event.type) {
    case 'device_removed':
      return { name: 'device_removed', data: { id: event.id, name: event.name } }
    case 'heartbeats':
      return { name: 'heartbeats', data: { devices: event.devices.map(({ id, lastSeen }) => ({ id, last_seen: stamp(lastSeen) })) } }
    case 'ip_changed':
      return { name: 'ip_changed', data: { id: event.id, name: event.name, old_ip: event.oldIp, new_ip: event.newIp, at: stamp(event.at) } }
    case 'rotation':
      return { name: 'rotation', data: rotationJson(event.rotation) }
  }
}

/** One server-sent event. JSON has no line breaks, so one `data` line holds it. */
const frame = ({ name, data }: HubEvent | PublicEvent, id: string | null): string =>
  `${id === null ? '' : `id: ${id}\n`}event: ${name}\ndata: ${JSON.stringify(data)}\n\n`
