import { expect, test } from 'vitest'
import { type Episode, type Finding, judge } from './episode.ts'

const bad: Finding = {
  rule: 'low_battery',
  subject: { kind: 'device', id: 'a', name: 'kazan-02' },
  verdict: 'bad',
  severity: 'warning',
  title: 'kazan-02: battery at 20 %',
  detail: '',
}
const good: Finding = { ...bad, verdict: 'good' }

/** The steps of findings at their seconds, and when the alert was over. */
function live(story: readonly [second: number, finding: Finding][]): { steps: string[]; resolvedAt: number | null } {
  let episode: Episode | null = null
  let resolvedAt: number | null = null
  const steps = story.map(([second, finding]) => {
    const step = judge(episode, finding, second * 1_000, () => 'id')
    if (step.type === 'over') resolvedAt = step.alert.resolvedAt
    episode = 'episode' in step ? step.episode : null
    return step.type
  })
  return { steps, resolvedAt }
}

test.each<[string, [number, Finding][], string[], number | null]>([
  [
    'well for two minutes: over since the first of them',
    [
      [0, bad],
      [60, bad],
      [100, good],
      [219, good],
      [220, good],
    ],
    ['open', 'none', 'none', 'none', 'over'],
    100_000,
  ],
  [
    'bad again meanwhile: counted anew',
    [
      [0, bad],
      [100, good],
      [150, bad],
      [200, good],
      [230, good],
    ],
    ['open', 'none', 'none', 'none', 'none'],
    null,
  ],
  ['well, with no alert: nothing', [[0, good]], ['idle'], null],
  [
    'a rule whose recovery counts at once, and began earlier',
    [
      [0, { ...bad, rule: 'device_silent' }],
      [300, { ...good, rule: 'device_silent', since: 170_000 }],
    ],
    ['open', 'over'],
    170_000,
  ],
  [
    'a recovery that began before the trouble ends with it',
    [
      [100, { ...bad, rule: 'device_silent', since: 100_000 }],
      [300, { ...good, rule: 'device_silent', since: 50_000 }],
    ],
    ['open', 'over'],
    100_000,
  ],
  [
    'worse is told, less bad is not',
    [
      [0, bad],
      [5, { ...bad, severity: 'critical' }],
      [10, bad],
    ],
    ['open', 'worse', 'none'],
    null,
  ],
  [
    'further members are noted',
    [
      [0, { ...bad, members: [{ id: 'a', name: 'a' }] }],
      [
        5,
        {
          ...bad,
          members: [
            { id: 'a', name: 'a' },
            { id: 'b', name: 'b' },
          ],
        },
      ],
    ],
    ['open', 'change'],
    null,
  ],
  [
    'removed: over at once',
    [
      [0, bad],
      [10, { ...bad, verdict: 'over' }],
    ],
    ['open', 'over'],
    10_000,
  ],
])('one trouble is one alert and one recovery that lasts: %s', (_, story, steps, resolvedAt) => {
  expect(live(story)).toEqual({ steps, resolvedAt })
})
