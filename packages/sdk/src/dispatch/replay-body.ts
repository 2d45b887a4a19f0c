import { headerValue } from './request-headers.ts'

/** Whether the body can be sent again as it is: none, or bytes in memory. */
export function isReplayable(body: unknown): boolean {
  return (
    body === null ||
    body === undefined ||
    typeof body === 'string' ||
    ArrayBuffer.isView(body) ||
    body instanceof ArrayBuffer ||
    body instanceof Blob ||
    (typeof body === 'object' && Symbol.toStringTag in body && body[Symbol.toStringTag] === 'FormData')
  )
}

/** How many bytes the body has, where that shows without reading it. */
export function bodyLength(body: unknown): number | undefined {
  if (body === null || body === undefined) return 0
  if (typeof body === 'string') return Buffer.byteLength(body)
  if (ArrayBuffer.isView(body) || body instanceof ArrayBuffer) return body.byteLength
  return body instanceof Blob ? body.size : undefined
}

/**
 * Whether to read the body into memory first. `fetch` hands over every body as a generator, even a string, but states its length.
 */
export function isWorthBuffering(body: unknown, headers: unknown, maxBytes: number): body is AsyncIterable<unknown> | Iterable<unknown> {
  if (typeof body !== 'object' || body === null || !(Symbol.asyncIterator in body || Symbol.iterator in body)) return false
  const length = Number(headerValue(headers, 'content-length')?.split(',')[0] ?? Number.NaN)
  return length <= maxBytes
}

/** Reads a body into memory; stops early, with undefined, once `isWanted` says no. An error of the body comes out as it is. */
export async function bufferBody(body: AsyncIterable<unknown> | Iterable<unknown>, isWanted: () => boolean): Promise<Buffer | undefined> {
  const chunks: Buffer[] = []
  for await (const chunk of body) {
    if (!isWanted()) return undefined
    chunks.push(ArrayBuffer.isView(chunk) ? Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength) : Buffer.from(String(chunk)))
  }
  return Buffer.concat(chunks)
}
