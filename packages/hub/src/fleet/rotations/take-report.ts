import type { CommandReportJson } from '@mobilepool/sdk/contract'
import type { RotationRecord } from '../../store/index.ts'
import { normalAddress } from '../address.ts'
import type { Device } from '../device.ts'
import type { Fleet, TakenHeartbeat } from '../fleet.ts'
import type { Rotations } from './rotations.ts'

/**
 * Takes an agent's report that came from an address, which is a heartbeat too: wait for it before the report is acknowledged, for the new
 * address must not be lost either. Null: there is no such order. @throws HubError `database_down`
 */
export async function takeReport(
  { fleet, rotations }: { fleet: Pick<Fleet, 'see'>; rotations: Pick<Rotations, 'report'> },
  device: Device,
  { id, report, address }: { id: string; report: CommandReportJson; address: string },
): Promise<{ rotation: RotationRecord | null; taken: TakenHeartbeat }> {
  // First, so that whoever hears of the rotation's end finds the new address in place.
  const taken = fleet.see(device, address)
  const normal = { ...report, old_ip: normalAddress(report.old_ip ?? undefined), new_ip: normalAddress(report.new_ip ?? undefined) }
  return { rotation: await rotations.report(device, id, normal, address), taken }
}
