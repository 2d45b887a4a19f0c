import { expect, test } from 'vitest'
import { RuleBook } from './rule-book.ts'

/** A book on what a database keeps. */
async function book(kept = new Map<string, unknown>(), silentAfterMs = 300_000) {
  const store = {
    all: async () => new Map(kept),
    put: async (values: ReadonlyMap<string, unknown>) => {
      for (const [key, value] of values) kept.set(key, value)
    },
  }
  return { kept, rules: await RuleBook.load({ store, deliveries: { release: async () => {} }, silentAfterMs }) }
}

test('a silence is long after DEVICE_SILENT_AFTER, until an admin sets the rule', async () => {
  const { rules, kept } = await book(new Map(), 120_000)
  expect(rules.of('device_silent').threshold).toBe(120)
  expect(rules.vigil.silentAfterMs).toBe(120_000)
  await rules.change({ rules: [{ rule: 'device_silent', threshold: 600 }] }, 0)
  expect(rules.vigil.silentAfterMs).toBe(600_000)
  expect((await book(kept, 120_000)).rules.vigil.silentAfterMs).toBe(600_000)
})

test('what is changed of a rule leaves its other settings to the environment', async () => {
  const { rules } = await book(new Map([['device_silent', { severity: 'warning' }]]), 120_000)
  expect(rules.of('device_silent')).toMatchObject({ severity: 'warning', threshold: 120 })
})

test('a device flaps as its rule says, and never while that is off', async () => {
  const { rules } = await book()
  expect(rules.vigil).toMatchObject({ flaps: 6, flapWindowMs: 3_600_000 })
  await rules.change({ rules: [{ rule: 'flapping', threshold: 4, window: 600 }] }, 0)
  expect(rules.vigil).toMatchObject({ flaps: 4, flapWindowMs: 600_000 })
  await rules.change({ rules: [{ rule: 'flapping', enabled: false }] }, 0)
  expect(rules.vigil.flaps).toBe(Number.POSITIVE_INFINITY)
})
