/** What must be true at the end of a demo. Pure: takes what parser, target site and hub counted. */
import type { Tally } from './parser.ts'
import type { TargetSite } from './target-site.ts'

export interface Check {
  claim: string
  holds: boolean
  /** Said when it does not hold. */
  evidence: string
}

export interface RotationTotals {
  changed: number
  unchanged: number
  failed: number
}

interface Facts {
  tally: Tally
  target: Pick<TargetSite, 'served' | 'visitors'>
  rotations: RotationTotals
  /** Addresses that belong to the fleet; the site must see no other. */
  fleetAddresses: ReadonlySet<string>
  /** How many devices carried traffic. */
  devices: number
}

export function judge({ tally, target, rotations, fleetAddresses, devices }: Facts): Check[] {
  const ids = Array.from({ length: tally.started }, (_, index) => String(index + 1))
  const notOnce = ids.filter((id) => tally.settled.get(id) !== 1)
  const neverServed = ids.filter((id) => !target.served.has(id))
  const strangers = [...target.visitors.keys()].filter((address) => !fleetAddresses.has(address))
  return [
    {
      claim: `every request answered exactly once (${tally.answered} of ${tally.started})`,
      holds: tally.started > 0 && tally.answered === tally.started && notOnce.length === 0,
      evidence: `not answered once: ${list(notOnce)}; answered rightly: ${tally.answered}`,
    },
    { claim: `${tally.errors.length} errors`, holds: tally.errors.length === 0, evidence: list(tally.errors) },
    { claim: 'every answer came from the site', holds: neverServed.length === 0, evidence: `the site never answered ${list(neverServed)}` },
    { claim: "the site saw the devices' addresses only", holds: strangers.length === 0, evidence: `it also saw ${list(strangers)}` },
    {
      claim: `${tally.exitIps.size} distinct exit IPs on ${devices} devices`,
      holds: tally.exitIps.size >= devices,
      evidence: `seen: ${list([...tally.exitIps])}`,
    },
    {
      claim: `${rotations.changed + rotations.unchanged + rotations.failed} rotations: ${rotations.changed} changed, ${rotations.unchanged} unchanged, ${rotations.failed} failed`,
      holds: rotations.changed > 0,
      evidence: 'no rotation changed an exit IP',
    },
  ]
}

function list(items: readonly string[]): string {
  if (items.length === 0) return 'none'
  const shown = items.slice(0, 5).join(', ')
  return items.length > 5 ? `${shown} and ${items.length - 5} more` : shown
}
