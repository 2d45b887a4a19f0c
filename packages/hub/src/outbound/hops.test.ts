import { expect, test } from 'vitest'
import { Hops } from './hops.ts'

test('a box in the LAN may redirect within the LAN and to the outside, from where no way leads back', () => {
  const { guard } = new Hops(true)
  guard('box.lan', 'private')
  guard('192.168.8.1', 'private')
  guard('provider.example', 'public')
  guard('other.example', 'public')
  expect(() => guard('box.lan', 'private')).toThrow('A redirect from outside leads to the private address of box.lan.')
})

test('where private addresses are forbidden, only public ones are dialled', () => {
  const { guard } = new Hops(false)
  guard('provider.example', 'public')
  expect(() => guard('box.lan', 'private')).toThrow('OUTBOUND_PRIVATE=false')
})

test.each([true, false])('metadata addresses are never dialled (private ones allowed: %s)', (allowsPrivate) => {
  expect(() => new Hops(allowsPrivate).guard('metadata.internal', 'never')).toThrow('never calls')
})
