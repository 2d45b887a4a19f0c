import { expect, it } from 'vitest'
import { KnownUserNames } from './known-user-names.ts'
import { readUserName } from './user-name.ts'

it('reads as the grammar says, and gives the same choices each time', () => {
  const names = new KnownUserNames()
  const first = names.read('me-session-a-country-kr')
  expect(first).toEqual(readUserName('me-session-a-country-kr'))
  expect(names.read('me-session-a-country-kr')).toBe(first)
})

it('tells what is wrong with a name every time', () => {
  const names = new KnownUserNames()
  const wrong = readUserName('me-sesion-a')
  expect([names.read('me-sesion-a'), names.read('me-sesion-a')]).toEqual([wrong, wrong])
})

it('forgets the name unused for longest when there are too many', () => {
  const names = new KnownUserNames()
  const [used, unused] = [names.read('used-session-a'), names.read('unused-session-a')]
  for (let n = 0; n < 4_998; n++) names.read(`me-session-${n}`)
  expect(names.read('used-session-a')).toBe(used)
  names.read('another')
  expect(names.read('used-session-a')).toBe(used)
  const again = names.read('unused-session-a')
  expect(again).toEqual(unused)
  expect(again).not.toBe(unused)
})
