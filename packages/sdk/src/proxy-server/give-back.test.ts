import { expect, it } from 'vitest'
import { giveBack } from './give-back.ts'

it('frees bytes that have their memory for themselves', () => {
  const bytes = Buffer.from(new ArrayBuffer(65_536))
  giveBack(bytes)
  expect(bytes.length).toBe('transfer' in ArrayBuffer.prototype ? 0 : 65_536)
})

it('leaves bytes alone whose memory others share', () => {
  const all = Buffer.alloc(65_536, 'x')
  const part = all.subarray(1_024)
  giveBack(part)
  expect(part.toString('latin1', 0, 3)).toBe('xxx')
  expect(all).toHaveLength(65_536)
})
