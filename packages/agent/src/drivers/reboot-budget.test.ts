import { expect, test } from 'vitest'
import { memoryState } from '../../test/memory-state.ts'
import { VirtualClock } from '../../test/virtual-clock.ts'
import { RebootBudget } from './reboot-budget.ts'

const MINUTE_MS = 60_000

test('a device is rebooted at most four times a day, half an hour apart, also when the agent was restarted in between', async () => {
  const parts = { clock: new VirtualClock(), stateDir: memoryState() }
  const spend = (): Promise<void> => new RebootBudget(parts).spend()
  for (let reboots = 0; reboots < 4; reboots += 1) {
    await spend()
    await parts.clock.advance(29 * MINUTE_MS)
    await expect(spend()).rejects.toMatchObject({
      code: 'too_soon',
      message: expect.stringMatching(reboots < 3 ? /again in 1 min/ : /again in 1321 min/),
    })
    await parts.clock.advance(MINUTE_MS)
  }
  await parts.clock.advance(22 * 60 * MINUTE_MS - 1)
  await expect(spend()).rejects.toMatchObject({ code: 'too_soon' })
  await parts.clock.advance(1)
  await spend()
})
