/** The process with all that is not the pool: two origins and ten devices that misbehave by chance. `startChild(…, [seed])`. */

import { seeded } from '../seeded.ts'
import { serveParent } from '../servers/child.ts'
import { startFaultyProxy } from '../servers/faulty-proxy.ts'
import { chaosFaults } from './chaos-faults.ts'
import { startChaosOrigin } from './chaos-origin.ts'

const DEVICES = 10
const MOMENT_MS = 100

const seed = Number(process.argv[2])
const origins = await Promise.all([startChaosOrigin({ tls: false }), startChaosOrigin({ tls: true })])
const devices = await Promise.all(
  Array.from({ length: DEVICES }, (_, index) =>
    startFaultyProxy({ egress: `127.30.${index}.1`, plan: chaosFaults(seeded(seed * 1_000 + index)) }),
  ),
)
let turns = 0

const device = (index: number) => {
  const found = devices[index]
  if (found === undefined) throw new RangeError(`no device ${index}`)
  return found
}

const calls = {
  urls: () => ({ origins: origins.map(({ url }) => url), devices: devices.map(({ url }) => url) }),
  /** A device gets another exit IP, and its connections are cut, as a modem's are. */
  rotate(index: number) {
    device(index).egress = `127.30.${index}.${2 + (turns++ % 250)}`
    device(index).dropAll()
    return device(index).egress
  },
  vanish: (index: number) =>
    device(index)
      .refuse()
      .then(() => true),
  comeBack: (index: number) =>
    device(index)
      .accept()
      .then(() => true),
  cut(index: number) {
    device(index).dropAll()
    return true
  },
  /** Connections that the pool still has to devices, a moment from now: the timer of that moment is not in the process that is watched. */
  openSockets: async () => {
    await new Promise((resolve) => setTimeout(resolve, MOMENT_MS))
    return devices.reduce((sum, { sockets }) => sum + sockets.size, 0)
  },
  /** Non-idempotent requests that arrived more than once, at both origins together. */
  repeated: () => {
    const all = new Map<string, number>()
    for (const { arrivals } of origins) for (const [id, count] of arrivals) all.set(id, (all.get(id) ?? 0) + count)
    return { arrived: all.size, repeated: [...all].filter(([, count]) => count > 1).map(([id, count]) => `${id} x${count}`) }
  },
}
export type WorldCalls = typeof calls

serveParent(calls)
