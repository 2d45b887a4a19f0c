import { AsyncResource } from 'node:async_hooks'
import type { Clock } from '../clock.ts'

/** Something with a time limit. Its links belong to `Deadlines`: an object of their own a request would cost more than the rest of it. */
export interface Timed {
  /** Where it stands in line; null: it has no limit now. */
  row: Row | null
  /** Milliseconds since 1970. */
  dueAt: number
  earlier: Timed | null
  later: Timed | null
  /** Its time is over, and with it its limit. */
  onDue(): void
}

/** Those with limits of the same length, as their time comes. */
interface Row {
  readonly limitMs: number
  first: Timed | null
  last: Timed | null
  /** Takes back the alarm for the first of them. */
  callOff: (() => void) | null
}

/**
 * Time limits of many requests, of few different lengths: one timer a length instead of one a request. Exact like a timer of Node.
 * It keeps no process alive: the sockets that are waited for do.
 */
export class Deadlines {
  readonly #clock: Clock
  readonly #rows = new Map<number, Row>()
  /** One caller's async context is not to be another's. */
  readonly #fire: (row: Row) => void
  #isClosed: boolean = false

  constructor(clock: Clock) {
    this.#clock = clock
    this.#fire = AsyncResource.bind((row: Row) => this.#serve(row))
  }

  /** It is due after this time, whatever it was due before. */
  set(timed: Timed, limitMs: number): void {
    this.clear(timed)
    let row = this.#rows.get(limitMs)
    if (row === undefined) {
      row = { limitMs, first: null, last: null, callOff: null }
      this.#rows.set(limitMs, row)
    }
    this.#append(row, timed)
  }

  /** Its time begins anew, if it has a limit. */
  refresh(timed: Timed): void {
    const { row } = timed
    if (row === null) return
    unlink(row, timed)
    this.#append(row, timed)
  }

  /** It has no limit any more. */
  clear(timed: Timed): void {
    const { row } = timed
    if (row === null) return
    timed.row = null
    unlink(row, timed)
  }

  /** Leaves no timer behind, and sets none. For when everything under way has been ended. */
  close(): void {
    this.#isClosed = true
    for (const { callOff } of this.#rows.values()) callOff?.()
    this.#rows.clear()
  }

  #append(row: Row, timed: Timed): void {
    timed.row = row
    timed.dueAt = this.#clock.now() + row.limitMs
    timed.earlier = row.last
    if (row.last === null) row.first = timed
    else row.last.later = timed
    row.last = timed
    // An alarm that is set comes in time for who is last in line, perhaps too early.
    if (row.callOff === null) this.#setAlarm(row, row.limitMs)
  }

  #setAlarm(row: Row, afterMs: number): void {
    if (this.#isClosed) return
    row.callOff = this.#clock.schedule(afterMs, () => this.#fire(row))
  }

  #serve(row: Row): void {
    row.callOff = null
    try {
      const now = this.#clock.now()
      for (let due = row.first; due !== null && due.dueAt <= now; due = row.first) {
        this.clear(due)
        due.onDue()
      }
    } finally {
      if (row.first === null) this.#drop(row)
      else if (row.callOff === null) this.#setAlarm(row, Math.ceil(row.first.dueAt - this.#clock.now()))
    }
  }

  #drop(row: Row): void {
    row.callOff?.()
    if (this.#rows.get(row.limitMs) === row) this.#rows.delete(row.limitMs)
  }
}

function unlink(row: Row, timed: Timed): void {
  const { earlier, later } = timed
  if (earlier === null) row.first = later
  else earlier.later = later
  if (later === null) row.last = earlier
  else later.earlier = earlier
  timed.earlier = null
  timed.later = null
}
