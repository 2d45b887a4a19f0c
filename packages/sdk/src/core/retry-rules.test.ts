import { expect, test } from 'vitest'
import { mayRepeat } from './retry-rules.ts'

const facts = { method: 'POST', isReplayable: true, isDeclaredIdempotent: false }

test.each(['GET', 'POST', 'PATCH', 'DELETE'])('%s is repeated when its request line was never written, whatever its body', (method) => {
  expect(mayRepeat({ ...facts, method, reached: 'unsent', isReplayable: false }, 'idempotent')).toBe(true)
})

test.each(['GET', 'POST', 'PATCH'])(
  '%s is repeated when the device said that it did not pass it on, if its body can be sent again',
  (method) => {
    expect(mayRepeat({ ...facts, method, reached: 'not_forwarded' }, 'idempotent')).toBe(true)
    expect(mayRepeat({ ...facts, method, reached: 'not_forwarded', isReplayable: false }, 'all')).toBe(false)
  },
)

test.each([
  ['GET', true],
  ['HEAD', true],
  ['OPTIONS', true],
  ['PUT', true],
  ['DELETE', true],
  ['TRACE', true],
  ['QUERY', true],
  ['POST', false],
  ['PATCH', false],
  ['CONNECT', false],
])('%s that was sent is repeated: %s', (method, expected) => {
  expect(mayRepeat({ ...facts, method, reached: 'sent' }, 'idempotent')).toBe(expected)
  expect(mayRepeat({ ...facts, method, reached: 'sent', isReplayable: false }, 'all')).toBe(false)
  expect(mayRepeat({ ...facts, method, reached: 'sent' }, 'all')).toBe(true)
  expect(mayRepeat({ ...facts, method, reached: 'sent', isDeclaredIdempotent: true }, 'idempotent')).toBe(true)
})
