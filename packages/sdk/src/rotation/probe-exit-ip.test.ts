import { expect, test } from 'vitest'
import { readAddress } from './probe-exit-ip.ts'

test.each([
  ['112.161.54.7', '112.161.54.7'],
  [' 112.161.54.7\n', '112.161.54.7'],
  ['{"ip":"112.161.54.7"}', '112.161.54.7'],
  ['::ffff:112.161.54.7', '112.161.54.7'],
  ['2001:db8::1', '2001:db8::1'],
  ['{"ip":7}', undefined],
  ['{"ip":', undefined],
  ['<html>captive portal</html>', undefined],
  ['', undefined],
])('%j says %s', (text, address) => {
  expect(readAddress(text)).toBe(address)
})
