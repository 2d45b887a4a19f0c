import { Readable } from 'node:stream'
import { expect, test } from 'vitest'
import { bufferBody, isReplayable, isWorthBuffering } from './replay-body.ts'

test.each([
  ['nothing', null, true],
  ['text', 'x', true],
  ['bytes', new Uint8Array(1), true],
  ['an ArrayBuffer', new ArrayBuffer(1), true],
  ['a Blob', new Blob(['x']), true],
  ['a form', new FormData(), true],
  ['a stream of Node', Readable.from(['x']), false],
  ['a web stream', new ReadableStream(), false],
])('%s can be sent again: %s', (_what, body, expected) => {
  expect(isReplayable(body)).toBe(expected)
})

async function* generator(...chunks: unknown[]): AsyncGenerator<unknown> {
  yield* chunks
}

test('a stream is buffered when its stated length is within bounds', () => {
  expect(isWorthBuffering(generator('x'), { 'content-length': '5' }, 10)).toBe(true)
  expect(isWorthBuffering(generator('x'), ['Content-Length', '5, 5'], 10)).toBe(true)
  expect(isWorthBuffering(generator('x'), { 'content-length': '11' }, 10)).toBe(false)
  expect(isWorthBuffering(generator('x'), {}, 10)).toBe(false)
  expect(isWorthBuffering('text', { 'content-length': '4' }, 10)).toBe(false)
})

test('all kinds of chunks are joined', async () => {
  const body = generator('hé', new Uint8Array([108]), Buffer.from('lo'), new DataView(new Uint8Array([33]).buffer))
  expect((await bufferBody(body, () => true))?.toString()).toBe('héllo!')
})

test('reading stops when nobody wants it any more, and the body is told', async () => {
  let ended = false
  async function* endless(): AsyncGenerator<string> {
    try {
      for (;;) yield 'x'
    } finally {
      ended = true
    }
  }
  let reads = 0
  expect(await bufferBody(endless(), () => ++reads < 3)).toBeUndefined()
  expect(ended).toBe(true)
})
