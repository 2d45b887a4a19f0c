import zlib from 'node:zlib'

/** Content codings that can be looked into. */
export type Coding = 'identity' | 'gzip' | 'deflate' | 'br' | 'zstd'

/** Decoded bytes at most: a page's first 4 KB hold some 30 KB as gzip; more than this is a bomb, and regexes have to run over it. */
export const MAX_DECODED = 131_072
/** Attempts to decode less and less of a prefix that decodes to too much. */
const HALVINGS = 8

const hasZstd = typeof zlib.zstdDecompressSync === 'function'

/** The coding that a `Content-Encoding` header names; null when it is unknown to this Node, or there are several. */
export function codingOf(contentEncoding: string | string[] | undefined): Coding | null {
  if (contentEncoding === undefined) return 'identity'
  if (typeof contentEncoding !== 'string') return null
  switch (contentEncoding.trim().toLowerCase()) {
    case '':
    case 'identity':
      return 'identity'
    case 'gzip':
    case 'x-gzip':
      return 'gzip'
    case 'deflate':
      return 'deflate'
    case 'br':
      return 'br'
    case 'zstd':
      return hasZstd ? 'zstd' : null
    default:
      return null
  }
}

/**
 * Decodes the beginning of a body, at most `MAX_DECODED` bytes of it. What ends in the middle gives what can be known of it
 * (zstd: whole blocks only, which is all of a small page); what is not of its coding gives nothing.
 */
export function decodePrefix(bytes: Buffer, coding: Coding): Buffer {
  if (coding === 'identity') return bytes.subarray(0, MAX_DECODED)
  let prefix = bytes
  for (let halvings = 0; halvings <= HALVINGS && prefix.length > 0; halvings++) {
    try {
      return decode(prefix, coding)
    } catch (error) {
      if (!isTooLarge(error)) break
      prefix = prefix.subarray(0, Math.floor(prefix.length / 2))
    }
  }
  return Buffer.alloc(0)
}

function decode(bytes: Buffer, coding: Exclude<Coding, 'identity'>): Buffer {
  const { constants } = zlib
  const flate = { finishFlush: constants.Z_SYNC_FLUSH, maxOutputLength: MAX_DECODED }
  switch (coding) {
    case 'gzip':
      return zlib.gunzipSync(bytes, flate)
    case 'deflate':
      return isZlib(bytes) ? zlib.inflateSync(bytes, flate) : zlib.inflateRawSync(bytes, flate)
    case 'br':
      return zlib.brotliDecompressSync(bytes, { finishFlush: constants.BROTLI_OPERATION_FLUSH, maxOutputLength: MAX_DECODED })
    case 'zstd':
      return zlib.zstdDecompressSync(bytes, { finishFlush: constants.ZSTD_e_flush, maxOutputLength: MAX_DECODED })
  }
}

/** "deflate" is the zlib format (RFC 9110, 8.4.1.2), but some servers send bare deflate: the two bytes of a zlib head tell (RFC 1950, 2.2). */
const isZlib = (bytes: Buffer): boolean => ((bytes[0] ?? 0) & 0x0f) === 8 && (((bytes[0] ?? 0) << 8) | (bytes[1] ?? 0)) % 31 === 0

const isTooLarge = (error: unknown): boolean => error instanceof Error && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE'
