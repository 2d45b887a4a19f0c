import type { BanMatch } from '../bans/ban-rule.ts'
import type { BodyTest } from '../bans/body-test.ts'
import type { ResponseHeaders } from './handlers.ts'

/** A response head as undici tells it. */
export interface ResponseHead {
  readonly statusCode: number
  readonly headers: ResponseHeaders
  readonly statusMessage: string | undefined
}

/** A response whose beginning is kept back: until its body test has decided, and then for as long as the caller is paused. */
export class HeldResponse {
  readonly head: ResponseHead
  readonly maxWaitMs: number
  /** What came with the end of the body, once that is there. */
  trailers: ResponseHeaders | null = null
  readonly #test: BodyTest
  readonly #chunks: Buffer[] = []
  #size = 0
  #isPassing: boolean = false

  constructor(head: ResponseHead, test: BodyTest) {
    this.head = head
    this.maxWaitMs = test.maxWaitMs
    this.#test = test
  }

  /** Bytes kept back. */
  get size(): number {
    return this.#size
  }

  /** Whether there is enough for the test. */
  get isEnough(): boolean {
    return this.#size >= this.#test.bytes
  }

  get isEmpty(): boolean {
    return this.#chunks.length === 0
  }

  add(chunk: Buffer): void {
    this.#chunks.push(chunk)
    this.#size += chunk.length
  }

  /** What the test says of what has come so far. */
  match(): BanMatch | null {
    return this.#test.match(this.#chunks)
  }

  /** Passes on what is kept back, chunk by chunk as it came, for as long as it may. Returns whether nothing is left. */
  passTo(take: (chunk: Buffer) => void, mayGoOn: () => boolean): boolean {
    // Whoever takes a chunk may pause and resume in its course: the outer round goes on then.
    if (this.#isPassing) return false
    this.#isPassing = true
    try {
      while (mayGoOn()) {
        const chunk = this.#chunks.shift()
        if (chunk === undefined) break
        take(chunk)
      }
    } finally {
      this.#isPassing = false
    }
    return this.#chunks.length === 0
  }
}
