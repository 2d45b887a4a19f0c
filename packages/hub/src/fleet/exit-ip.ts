import { addressFamily, isSameExit } from './address.ts'

/** An IPv4 address is shown as the exit IP for this long after it was seen, although IPv6 heartbeats come in between. */
const FAMILY_STAYS_MS = 300_000

/** A device's address of one family: since when it is there, and how long it was seen. Times in ms. */
export interface Exit {
  /** The address at which the stretch began; for IPv6 it stands for its /64. */
  ip: string
  /** The newest address of the stretch: privacy addresses change within the /64. */
  current: string
  firstSeen: number
  lastSeen: number
}

/** A dual-stack phone alternates between families from one `curl` to the next: each is followed for itself. */
export interface Exits {
  v4: Exit | null
  v6: Exit | null
}

export const noExits: Exits = { v4: null, v6: null }

/** One address of each family, as it was seen; null: none was. */
export interface SeenAddresses {
  v4: string | null
  v6: string | null
}

/** What later addresses are compared with. */
export const addressesOf = ({ v4, v6 }: Exits): SeenAddresses => ({ v4: v4?.ip ?? null, v6: v6?.ip ?? null })

/** What seeing an address means. */
export interface Sighting {
  exits: Exits
  /** The address of this family is another one than before. The first of its family is no change. */
  changed: boolean
  oldIp: string | null
  /** Stretches that ended or began now. */
  stints: Exit[]
}

/** A device was seen at a (normal) address. */
export function seeAddress(exits: Exits, ip: string, at: number): Sighting {
  const family = addressFamily(ip)
  const before = exits[family]
  if (before && isSameExit(before.ip, ip)) {
    const stays = { ...before, current: ip, lastSeen: Math.max(before.lastSeen, at) }
    return { exits: { ...exits, [family]: stays }, changed: false, oldIp: before.current, stints: [] }
  }
  const fresh: Exit = { ip, current: ip, firstSeen: at, lastSeen: at }
  return {
    exits: { ...exits, [family]: fresh },
    changed: before !== null,
    oldIp: before?.current ?? null,
    stints: before ? [before, fresh] : [fresh],
  }
}

/** The one exit to show: IPv4 while it is alive, else the newer one. */
export function shownExit({ v4, v6 }: Exits, now: number): Exit | null {
  if (!v4 || !v6) return v4 ?? v6
  return now - v4.lastSeen <= FAMILY_STAYS_MS || v4.lastSeen >= v6.lastSeen ? v4 : v6
}

/** An address against those seen before, as far as there was one of its family. */
export function compareExit(before: SeenAddresses, ip: string): 'same' | 'different' | 'unknown' {
  const known = before[addressFamily(ip)]
  if (known === null) return 'unknown'
  return isSameExit(known, ip) ? 'same' : 'different'
}
