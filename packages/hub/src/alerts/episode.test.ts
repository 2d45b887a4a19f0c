import { expect, test } from 'vitest'
import { type Episode, type Finding, judge } from './episode.ts'

const bad: Finding = {
  rule: 'device_silent',
  subject: { kind: 'device', id: 'a', name: 'kazan-02' },
  verdict: 'bad',
  severity: 'critical',
  title: 'kazan-02 is silent',
  detail: '',
}
const heard = (beatAt: number): Finding => ({ ...bad, verdict: 'good', since: beatAt, beatAt })

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
    'heard twice over two minutes',
    [
      [0, bad],
      [60, bad],
      [100, heard(100_000)],
      [190, heard(190_000)],
      [220, heard(190_000)],
    ],
    ['open', 'none', 'none', 'none', 'over'],
    100_000,
  ],
  [
    'heard once only',
    [
      [0, bad],
      [100, heard(100_000)],
      [300, heard(100_000)],
    ],
    ['open', 'none', 'none'],
    null,
  ],
  [
    'silent again meanwhile',
    [
      [0, bad],
      [100, heard(100_000)],
      [150, bad],
      [200, heard(200_000)],
      [230, heard(230_000)],
    ],
    ['open', 'none', 'none', 'none', 'none'],
    null,
  ],
  [
    'removed',
    [
      [0, bad],
      [10, { ...bad, verdict: 'over' }],
    ],
    ['open', 'over'],
    10_000,
  ],
])('one outage is one alert and one recovery that lasts: %s', (_, story, steps, resolvedAt) => {
  expect(live(story)).toEqual({ steps, resolvedAt })
})
