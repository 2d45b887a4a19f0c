import { describe, expect, test } from 'vitest'
import { withDevice } from './config-writer.ts'

const hub = 'https://hub.example'
const seoul = { name: 'seoul-01', driver: 'simulated' }

describe('a file that a device is written to', () => {
  test.each([
    ['is made', null, { hub, ...seoul, token: undefined }, { hub, devices: [seoul] }],
    [
      'keeps its other devices',
      { hub, devices: [{ name: 'busan-03', driver: 'zte' }] },
      { hub, ...seoul },
      { hub, devices: [{ name: 'busan-03', driver: 'zte' }, seoul] },
    ],
    [
      'has no device twice, and keeps what it said of it',
      { hub, devices: [{ ...seoul, region: 'KR', token: 'spent' }] },
      { hub, ...seoul, type: 'android' },
      { hub, devices: [{ ...seoul, region: 'KR', type: 'android' }] },
    ],
    ['of one device stays one', { hub, ...seoul, token: 'spent' }, { hub, ...seoul }, { hub, ...seoul }],
    [
      'of one device becomes one of two',
      { hub, name: 'busan-03', driver: 'zte', metrics: '127.0.0.1:1' },
      { hub: 'https://other.example', ...seoul },
      {
        hub,
        metrics: '127.0.0.1:1',
        devices: [
          { name: 'busan-03', driver: 'zte' },
          { hub: 'https://other.example', ...seoul },
        ],
      },
    ],
    [
      'says for all what is the same for all',
      { hub, type: 'android', devices: [] },
      { hub, type: 'android', ...seoul },
      { hub, type: 'android', devices: [seoul] },
    ],
  ])('%s', (_, before, input, after) => {
    expect(withDevice(before, input)).toEqual(after)
    expect(withDevice(withDevice(before, input), input)).toEqual(after)
  })
})
