import fc from 'fast-check'
import { validatorCompiler } from 'fastify-type-provider-zod'
import { expect, test } from 'vitest'
import { heartbeatQuery, heartbeatValidator, isPlain } from './heartbeat-query.ts'

const route = { schema: heartbeatQuery, method: 'GET', url: '/proxy_server', httpPart: 'querystring' }
const byContract = validatorCompiler(route)
const fast = heartbeatValidator()

const character = fc.constantFrom(...'aZ09._-', ' ', '\n', '\0', '/', "'", 'é', 'e\u0301', '서', '\u094d', '😀', 'K')
const name = fc.oneof(
  fc.string({ unit: character, maxLength: 110 }),
  fc.string({ unit: fc.constantFrom(...'aZ09._-'), minLength: 95, maxLength: 105 }),
  fc.string({ unit: 'binary' }),
)
const text = fc.oneof(name, fc.array(name, { maxLength: 3 }), fc.constant(undefined))
const query = fc.oneof(
  fc.record({ name: text }),
  fc.record({ name: text, key: fc.oneof(text, fc.string({ minLength: 295, maxLength: 305 })) }, { requiredKeys: [] }),
  fc.record({ name: text, other: text }),
  fc.dictionary(fc.string(), text),
)

test('a query is taken, refused and read exactly as the contract does it', () => {
  fc.assert(
    fc.property(query, (given) => {
      const [expected, got] = [byContract(given), fast(given)]
      expect(JSON.stringify(got)).toBe(JSON.stringify(expected))
      expect(Object.keys(got)).toEqual(Object.keys(expected))
    }),
    { numRuns: 3_000 },
  )
})

test.each(['a', 'phone-07', 'A.b_c-9', 'x'.repeat(100)])('%s is plain', (plain) => {
  expect(isPlain({ name: plain })).toBe(true)
  expect(byContract({ name: plain })).toEqual({ value: { name: plain } })
})

test.each([
  {},
  { name: '' },
  { name: '-a' },
  { name: 'a\n' },
  { name: 'x'.repeat(101) },
  { name: '서울' },
  { name: ['a'] },
  { name: 'a', key: 'k' },
])('%o is left to the contract', (given) => expect(isPlain(given)).toBe(false))
