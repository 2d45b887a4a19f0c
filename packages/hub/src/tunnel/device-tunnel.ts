import type { TunnelOffer } from '@mobilepool/sdk/contract'
import type { TunnelStatus } from '../fleet/device.ts'
import type { TunnelSession } from './session.ts'

/** Which of a device's sessions a new one replaces; `isStale`: it is older than what is there, and must not. */
export type Verdict = { isStale: true } | { isStale: false; replaces: TunnelSession[] }

/** The sessions of one device. */
export class DeviceTunnel implements TunnelStatus {
  readonly deviceId: string
  readonly open = new Set<TunnelSession>()
  /** The greatest that was seen; older dials are late. */
  generation = 0
  since: number
  /** Carries the device's orders. */
  control: TunnelSession | null = null

  constructor(deviceId: string, now: number) {
    this.deviceId = deviceId
    this.since = now
  }

  get isConnected(): boolean {
    return this.open.size > 0
  }

  get sessions(): number {
    return this.open.size
  }

  get streams(): number {
    let sum = 0
    for (const { streams } of this.open) sum += streams
    return sum
  }

  /** The shortest of its sessions. */
  get rttMs(): number | null {
    const found = [...this.open].flatMap(({ rttMs }) => rttMs ?? [])
    return found.length === 0 ? null : Math.min(...found)
  }

  /**
   * Judges a dial by its numbers, not by its arrival: a dial that was slow on its way must not end the sessions that came after it.
   * A greater generation replaces all, a greater dial the one in its slot.
   */
  judge(offer: TunnelOffer): Verdict {
    if (offer.generation < this.generation) return { isStale: true }
    const replaces: TunnelSession[] = []
    for (const session of this.open) {
      if (session.offer.generation < offer.generation) replaces.push(session)
      else if (session.offer.slot !== offer.slot) continue
      else if (session.offer.dial < offer.dial) replaces.push(session)
      else return { isStale: true }
    }
    return { isStale: false, replaces }
  }

  /** The session that takes the next connection: the one with the fewest. */
  leastActive(): TunnelSession | null {
    let best: TunnelSession | null = null
    for (const session of this.open) if (!session.isOver && (best === null || session.streams < best.streams)) best = session
    return best
  }
}
