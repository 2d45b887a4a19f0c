import { Writable } from 'node:stream'
import type { CachedResponse, CacheKey, CacheStore, CacheValue } from './cache-store.ts'

/** Bounds of a cache in memory. */
export interface MemoryLimits {
  readonly maxEntries: number
  /** Bodies, headers and URLs together. */
  readonly maxBytes: number
  /** A longer answer is not kept. */
  readonly maxEntryBytes: number
}

interface Entry {
  readonly method: string
  readonly value: CacheValue
  readonly body: Buffer
  readonly bytes: number
}

/**
 * Cached answers in memory; when it is full, those of the URL unused for longest go. undici's own `MemoryCacheStore` is not used:
 * its bounds do not hold where each URL has one answer (7.30.2 evicts half of a URL's answers, rounded down).
 */
export class MemoryStore implements CacheStore {
  readonly #limits: MemoryLimits
  readonly #now: () => number
  /** By URL, the one unused for longest first. */
  readonly #urls = new Map<string, Entry[]>()
  #entries = 0
  #bytes = 0

  constructor(limits: MemoryLimits, now: () => number) {
    this.#limits = limits
    this.#now = now
  }

  get size(): { readonly entries: number; readonly bytes: number } {
    return { entries: this.#entries, bytes: this.#bytes }
  }

  get(key: CacheKey): CachedResponse | undefined {
    const url = urlOf(key)
    const entries = this.#urls.get(url)
    const now = this.#now()
    const entry = entries?.find(({ method, value }) => method === key.method && value.deleteAt > now && suits(value, key))
    if (entries === undefined || entry === undefined) return undefined
    this.#urls.delete(url)
    this.#urls.set(url, entries)
    return { ...entry.value, body: [entry.body] }
  }

  createWriteStream(key: CacheKey, value: CacheValue): Writable {
    const chunks: Buffer[] = []
    let bytes = headBytes(key, value)
    const stream: Writable = new Writable({
      // It takes everything at once, and must not slow down the caller whose answer it copies.
      highWaterMark: Number.MAX_SAFE_INTEGER,
      write: (chunk: Buffer, _encoding, done) => {
        bytes += chunk.length
        if (bytes > this.#limits.maxEntryBytes) stream.destroy()
        else chunks.push(chunk)
        done()
      },
      final: (done) => {
        // One copy: the chunks are slices of far larger buffers.
        if (bytes <= this.#limits.maxEntryBytes) this.#put(key, { method: key.method, value, body: Buffer.concat(chunks), bytes })
        done()
      },
    })
    return stream
  }

  delete(key: CacheKey): void {
    const url = urlOf(key)
    for (const entry of this.#urls.get(url) ?? []) this.#forget(entry)
    this.#urls.delete(url)
  }

  #put(key: CacheKey, entry: Entry): void {
    const url = urlOf(key)
    const now = this.#now()
    const kept: Entry[] = []
    for (const old of this.#urls.get(url) ?? []) {
      if (old.value.deleteAt <= now || (old.method === entry.method && suits(old.value, key))) this.#forget(old)
      else kept.push(old)
    }
    this.#urls.delete(url)
    this.#urls.set(url, [...kept, entry])
    this.#entries++
    this.#bytes += entry.bytes
    this.#makeRoom()
  }

  #makeRoom(): void {
    for (const [url, entries] of this.#urls) {
      while (this.#entries > this.#limits.maxEntries || this.#bytes > this.#limits.maxBytes) {
        const oldest = entries.shift()
        if (oldest === undefined) break
        this.#forget(oldest)
      }
      if (entries.length > 0) return
      this.#urls.delete(url)
    }
  }

  #forget({ bytes }: Entry): void {
    this.#entries--
    this.#bytes -= bytes
  }
}

const urlOf = ({ origin, path }: CacheKey): string => `${origin} ${path}`

/** Whether an answer is one to these request headers. */
function suits({ vary }: CacheValue, { headers = {} }: CacheKey): boolean {
  return Object.entries(vary ?? {}).every(([name, asked]) => String(headers[name] ?? '') === String(asked ?? ''))
}

function headBytes({ origin, path }: CacheKey, { headers }: CacheValue): number {
  let bytes = origin.length + path.length
  for (const [name, value] of Object.entries(headers)) bytes += name.length + String(value).length
  return bytes
}
