import fc from 'fast-check'
import { expect, test } from 'vitest'
import { lineOf } from './config-file.ts'

const text = `{
  "hub": "http://x",
  "devices": [
    { "name": "a{b\\"}", "driverOptions": { "holdsMs": [1, 2,
      3] } },
    {
      "name": "b"
    }
  ]
}`

test.each([
  [['hub'], 2],
  [['devices'], 3],
  [['devices', 0, 'name'], 4],
  [['devices', 0, 'driverOptions', 'holdsMs', 1], 4],
  [['devices', 0, 'driverOptions', 'holdsMs', 2], 5],
  [['devices', 1], 6],
  [['devices', 1, 'name'], 7],
  [['devices', 1, 'driver'], 6],
  [['nothing'], 1],
])('the line of %j is %i', (path, line) => {
  expect(lineOf(text, path)).toBe(line)
})

test('in any JSON each value of an object is found in the line that it is written in', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string({ minLength: 1 }), fc.jsonValue(), { minKeys: 1, maxKeys: 8 }), (object) => {
      const written = JSON.stringify(object, null, 1)
      const lines = written.split('\n')
      for (const key of Object.keys(object)) expect(lines[lineOf(written, [key]) - 1]).toMatch(/^ "/)
      const found = Object.keys(object).map((key) => lines[lineOf(written, [key]) - 1]?.startsWith(` ${JSON.stringify(key)}:`))
      expect(found.every(Boolean)).toBe(true)
    }),
  )
})
