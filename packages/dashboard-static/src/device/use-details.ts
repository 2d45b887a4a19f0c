import { onScopeDispose, shallowRef } from 'vue'
import type { HubClient, HubProblem } from '../hub/client.ts'
import type { Details, IpStretch, RotationRecord, Traffic } from './details.ts'
import { readDetails, readIps, readRotations, readTraffic } from './read-details.ts'

/** So many rotations and addresses are shown. */
const SHOWN = 12

/** What the hub tells of one device beside its row. A part that could not be had stays as it was; `problem` says why the device itself could not. */
export function useDetails(ask: HubClient['ask'], name: string) {
  const details = shallowRef<Details | null>(null)
  const traffic = shallowRef<Traffic | null>(null)
  const rotations = shallowRef<readonly RotationRecord[] | null>(null)
  const ips = shallowRef<readonly IpStretch[] | null>(null)
  const problem = shallowRef<HubProblem | null>(null)
  const gone = new AbortController()
  onScopeDispose(() => gone.abort())

  const id = encodeURIComponent(name)
  let rounds = 0
  async function load(): Promise<void> {
    const round = ++rounds
    // What was asked for later counts, whichever is answered first.
    const isStale = (): boolean => gone.signal.aborted || round !== rounds
    const get = (path: string) => ask({ path: `api/v1/${path}`, signal: gone.signal })
    const own = await get(`admin/devices/${id}`)
    if (isStale()) return
    problem.value = own.ok ? null : own.problem
    if (!own.ok) return
    details.value = readDetails(own.value) ?? details.value
    const [stats, rotated, had] = await Promise.all([
      get(`admin/devices/${id}/stats?period=24h`),
      get(`rotations?limit=${SHOWN}&device=${id}`),
      get(`admin/devices/${id}/ips?limit=${SHOWN}`),
    ])
    if (isStale()) return
    if (stats.ok) traffic.value = readTraffic(stats.value)
    if (rotated.ok) rotations.value = readRotations(rotated.value)
    if (had.ok) ips.value = readIps(had.value)
  }
  return { details, traffic, rotations, ips, problem, load }
}
