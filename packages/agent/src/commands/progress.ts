import type { CommandReportJson } from '@mobilepool/sdk/contract'
import type { Logger } from 'pino'
import type { HubClient } from '../hub/hub-client.ts'

/** Tells the hub how far a rotation is, one message after the other. Best effort: a hub that does not answer holds nothing up. */
export function createProgress(
  hub: Pick<HubClient, 'report'>,
  log: Logger,
  timeoutMs: number,
): (id: string, report: CommandReportJson) => Promise<void> {
  let last = Promise.resolve()
  return (id, report) => {
    last = last.then(async () => {
      try {
        await hub.report(id, report, timeoutMs)
      } catch (error) {
        log.debug({ rotation: id, state: report.state, reason: (error as Error).message }, 'progress not told')
      }
    })
    return last
  }
}
