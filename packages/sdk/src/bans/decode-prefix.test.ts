import zlib from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Coding, codingOf, decodePrefix, MAX_DECODED } from './decode-prefix.ts'

const hasZstd = typeof zlib.zstdCompressSync === 'function'
const encoders: [Coding, (bytes: Buffer) => Buffer][] = [
  ['identity', (bytes) => bytes],
  ['gzip', (bytes) => zlib.gzipSync(bytes)],
  ['deflate', (bytes) => zlib.deflateSync(bytes)],
  ['deflate', (bytes) => zlib.deflateRawSync(bytes)],
  ['br', (bytes) => zlib.brotliCompressSync(bytes)],
]
if (hasZstd) encoders.push(['zstd', (bytes) => zlib.zstdCompressSync(bytes)])

test.each([
  [undefined, 'identity'],
  ['', 'identity'],
  ['Identity', 'identity'],
  [' GZIP ', 'gzip'],
  ['x-gzip', 'gzip'],
  ['deflate', 'deflate'],
  ['br', 'br'],
  ['zstd', hasZstd ? 'zstd' : null],
  ['gzip, br', null],
  ['compress', null],
  [['gzip', 'br'], null],
] as const)('Content-Encoding %j is %s', (header, coding) => {
  expect(codingOf(header as string | string[] | undefined)).toBe(coding)
})

describe.each(encoders)('%s', (coding, encode) => {
  test('a whole small body is decoded whole', () => {
    expect(decodePrefix(encode(Buffer.from('<h1>captcha</h1>')), coding).toString()).toBe('<h1>captcha</h1>')
  })

  test('whatever is cut off, the rest is a beginning of the body', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 3_000 }), fc.double({ min: 0, max: 1, noNaN: true }), (text, share) => {
        const body = Buffer.from(text)
        const wire = encode(body)
        const decoded = decodePrefix(wire.subarray(0, Math.ceil(wire.length * share)), coding)
        expect(body.subarray(0, decoded.length).equals(decoded)).toBe(true)
      }),
    )
  })

  test('a bomb is decoded up to the bound, and not to nothing', () => {
    const bomb = encode(Buffer.alloc(20_000_000, 'x'))
    const { length } = decodePrefix(bomb.subarray(0, 4_096), coding)
    expect(length).toBeLessThanOrEqual(MAX_DECODED)
  })

  test('garbage is no error', () => {
    expect(decodePrefix(Buffer.from('this is no such thing'), coding).length).toBe(coding === 'identity' ? 21 : 0)
  })
})

test('the beginning of a long page is there after 4 KB', () => {
  const page = Buffer.from(Array.from({ length: 20_000 }, (_, i) => `<p>${i * 7919}</p>`).join(''))
  for (const [coding, encode] of encoders) {
    if (coding === 'zstd') continue
    expect(decodePrefix(encode(page).subarray(0, 4_096), coding).length).toBeGreaterThanOrEqual(4_096)
  }
})
