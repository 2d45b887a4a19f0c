import type { Logger } from 'pino'
import { type Beat, type HeartbeatStore, isBadValue, isDatabaseDown, type NewDevice, type Stint } from '../store/index.ts'

/** Beats of this long are one statement (reference/hub.md 3.3); a timer, since PGlite's queries never let a group form by itself. */
const WINDOW_MS = 5
/**
 * Once so many wait as the last group had, nobody more is likely to come before those are answered: senders that wait for their answers come
 * back together. From this size on that ends the window; smaller groups are not worth a statement of their own before it is over.
 */
const COMPANY = 16
/** Past some hundred beats a group gains nothing. */
const MAX_GROUP = 500
const RETRY_MS = 500
/** Times that a group fails for another reason than an absent database (a deadlock with another hub, say) before it counts as absent. */
const MAX_TRIES = 3
/** IP changes remembered for one device while the database is away; older ones are forgotten first. */
const MAX_STINTS = 16

/**
 * What became of a beat: it is in the database (`stored`); the database is away, and it is kept until it is back (`kept`); the database
 * refused it, or its device is gone, or the hub stopped before it was written (`unwritten`).
 */
export type BeatFate = 'stored' | 'kept' | 'unwritten'

/** What the writer tells of the beats that it has handed to the database. */
export interface WrittenBeats {
  /** Devices whose beats are in the database, and by the ids they were given the ids that another hub had given the same names before. */
  stored(deviceIds: readonly string[], renamed: ReadonlyMap<string, string>): void
  /** A device whose beat the database refused. */
  refused(deviceId: string): void
}

interface Waiting {
  beat: Beat
  /** Called when it is known what became of the beat. */
  done: ((fate: BeatFate) => void)[]
}

/**
 * Writes heartbeats in groups. Of each device only the latest beat waits, so that an outage of the database costs memory for devices,
 * not for beats; it is written when the database is back.
 */
export class HeartbeatWriter {
  readonly #store: HeartbeatStore
  readonly #newDevice: NewDevice
  readonly #told: WrittenBeats
  readonly #log: Logger
  #waiting = new Map<string, Waiting>()
  /** The beat of each device that the database refused last: what it had to tell goes with the device's next one. */
  readonly #refused = new Map<string, Beat>()
  #timer: NodeJS.Timeout | null = null
  /** When the first of those that wait came, by `performance.now()`; the time of a write before theirs counts as theirs. */
  #since = 0
  #lastGroup = MAX_GROUP
  #writing: Promise<void> | null = null
  #database: 'up' | 'down' = 'up'
  /** Groups that failed since the last one that was written. */
  #failures = 0
  #closed = false

  constructor(store: HeartbeatStore, newDevice: NewDevice, told: WrittenBeats, log: Logger) {
    this.#store = store
    this.#newDevice = newDevice
    this.#told = told
    this.#log = log
  }

  /** Devices whose latest beat is not written yet. */
  get waiting(): number {
    return this.#waiting.size
  }

  /** Takes a beat. Resolves when it is written or refused, or at once while the database is away, or when it turns out to be (it is kept then). */
  write(given: Beat): Promise<BeatFate> {
    const refused = this.#refused.get(given.deviceId)
    const beat = refused ? merge(refused, given) : given
    if (this.#database === 'down') {
      this.#put(beat, [])
      this.#schedule(RETRY_MS)
      return Promise.resolve('kept')
    }
    return new Promise((resolve) => {
      this.#put(beat, [resolve])
      this.#schedule(this.#delay)
    })
  }

  /** Forgets a device that is gone. */
  forget(deviceId: string): void {
    for (const done of this.#waiting.get(deviceId)?.done ?? []) done('unwritten')
    this.#waiting.delete(deviceId)
    this.#refused.delete(deviceId)
  }

  /** Writes what waits, once, and stops. What the database does not take now is lost; the devices' next beats carry the same facts. */
  async close(): Promise<void> {
    this.#closed = true
    if (this.#timer) clearTimeout(this.#timer)
    await this.#writing
    while (this.#waiting.size > 0 && (await this.#writeGroup())) {
      // Another group.
    }
    for (const { done } of this.#waiting.values()) for (const resolve of done.splice(0)) resolve('unwritten')
  }

  #put(beat: Beat, done: Waiting['done']): void {
    if (this.#waiting.size === 0) this.#since = performance.now()
    const known = this.#waiting.get(beat.deviceId)
    this.#waiting.set(beat.deviceId, known ? { beat: merge(known.beat, beat), done: [...known.done, ...done] } : { beat, done })
  }

  /** Writes after this long, or at once (0) when the group is full; a retry that is due later is not brought forward. */
  #schedule(delayMs: number): void {
    if (this.#writing || this.#closed) return
    if (delayMs === 0 && this.#failures === 0) this.#begin()
    else this.#timer ??= setTimeout(() => this.#begin(), delayMs)
  }

  #begin(): void {
    if (this.#timer) clearTimeout(this.#timer)
    this.#timer = null
    this.#writing = this.#writeGroup().then((isWritten) => {
      this.#writing = null
      if (this.#waiting.size === 0) return
      if (!isWritten) this.#schedule(RETRY_MS)
      else this.#schedule(this.#delay)
    })
  }

  /** How long those that wait still wait for more of them, ms. */
  get #delay(): number {
    const { size } = this.#waiting
    if (size >= MAX_GROUP || (size >= COMPANY && size >= this.#lastGroup)) return 0
    return Math.max(0, Math.ceil(this.#since + WINDOW_MS - performance.now()))
  }

  /** False when the database did not take it. Never throws. */
  async #writeGroup(): Promise<boolean> {
    const group = [...this.#waiting.values()].slice(0, MAX_GROUP)
    for (const { beat } of group) this.#waiting.delete(beat.deviceId)
    this.#since = performance.now()
    this.#lastGroup = group.length
    try {
      const renamed = new Map<string, string>()
      const refused = new Set<string>()
      await this.#writeOrSplit(
        group.map(({ beat }) => beat),
        { renamed, refused },
      )
      if (this.#database === 'down') this.#log.info('Heartbeats are written again.')
      this.#database = 'up'
      this.#failures = 0
      this.#tell(group, renamed, refused)
      return true
    } catch (error) {
      this.#failures++
      const isAway = this.#database === 'down' || isDatabaseDown(error) || this.#failures >= MAX_TRIES
      if (!isAway) this.#log.warn({ err: error }, 'Heartbeats could not be written; they are tried again.')
      else if (this.#database === 'up')
        this.#log.error({ err: error }, 'Heartbeats cannot be written: the latest of each device is kept and written later.')
      if (isAway) this.#database = 'down'
      for (const { beat, done } of group) {
        if (isAway) for (const resolve of done) resolve('kept')
        this.#putBack(beat, isAway ? [] : done)
      }
      return false
    }
  }

  #tell(group: readonly Waiting[], renamed: ReadonlyMap<string, string>, refused: ReadonlySet<string>): void {
    const ids = group.map(({ beat }) => beat.deviceId)
    this.#told.stored(refused.size === 0 ? ids : ids.filter((id) => !refused.has(id)), renamed)
    for (const { beat, done } of group) {
      const isRefused = refused.has(beat.deviceId)
      if (isRefused) this.#refused.set(beat.deviceId, beat)
      else if (this.#refused.size > 0) this.#refused.delete(beat.deviceId)
      // After the former: whom the fleet forgets now is forgotten here, too.
      if (isRefused) this.#told.refused(beat.deviceId)
      for (const resolve of done) resolve(isRefused ? 'unwritten' : 'stored')
    }
  }

  /** A beat that came meanwhile is the newer one. */
  #putBack(beat: Beat, done: Waiting['done']): void {
    const newer = this.#waiting.get(beat.deviceId)
    this.#waiting.set(beat.deviceId, newer ? { beat: merge(beat, newer.beat), done: [...done, ...newer.done] } : { beat, done })
  }

  /** One value that the database refuses must not take its whole group along. */
  async #writeOrSplit(beats: Beat[], answer: { renamed: Map<string, string>; refused: Set<string> }): Promise<void> {
    try {
      for (const [given, id] of await this.#store.write(beats, this.#newDevice)) answer.renamed.set(given, id)
    } catch (error) {
      if (isDatabaseDown(error) || !isBadValue(error)) throw error
      const [beat] = beats
      if (beats.length === 1 && beat) {
        this.#log.warn({ err: error, device: beat.name }, 'The database refused a heartbeat.')
        answer.refused.add(beat.deviceId)
        return
      }
      const half = Math.ceil(beats.length / 2)
      await this.#writeOrSplit(beats.slice(0, half), answer)
      await this.#writeOrSplit(beats.slice(half), answer)
    }
  }
}

/** Two beats of one device as one: the newer facts, and the stints of both. */
function merge(older: Beat, newer: Beat): Beat {
  const stints = new Map<string, Stint>()
  for (const stint of [...older.stints, ...newer.stints]) {
    const key = `${stint.ip} ${stint.firstSeen}`
    stints.set(key, { ...stint, lastSeen: Math.max(stint.lastSeen, stints.get(key)?.lastSeen ?? 0) })
  }
  return { ...newer, isNew: older.isNew || newer.isNew, createdAt: older.createdAt, stints: [...stints.values()].slice(-MAX_STINTS) }
}
