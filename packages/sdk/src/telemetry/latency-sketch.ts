/** Each bucket is 16 % wider than the one before, so that a quantile, told as the middle of its bucket, is off by at most 8 % (√1.16). */
const GROWTH = 1.16
/** The last bucket holds everything from about 19 minutes on. */
const BUCKETS = 96
/** When so many are counted, all counts are halved: the sketch tells of the last few thousand, not of the whole life. */
const HALVE_AT = 4_096

const bucketOf = (ms: number): number => (ms <= 1 ? 0 : Math.min(BUCKETS - 1, Math.ceil(Math.log(ms) / Math.log(GROWTH))))

/** The buckets of whole milliseconds, looked up rather than computed: this runs twice a request. */
const QUICK = Uint8Array.from({ length: 4_096 }, (_, ms) => bucketOf(ms))

/** Quantiles in 400 bytes, whatever is counted: a histogram whose buckets grow with the value. */
export class LatencySketch {
  readonly #counts = new Uint16Array(BUCKETS)
  #total = 0

  /** Counts one value, ms. */
  add(ms: number): void {
    const bucket = ms < QUICK.length && Number.isInteger(ms) ? (QUICK[ms] ?? 0) : bucketOf(ms)
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1
    this.#total++
    if (this.#total >= HALVE_AT) this.#halve()
  }

  /** The value that this share of those counted does not exceed, ms; null when nothing was counted. */
  quantile(share: number): number | null {
    if (this.#total === 0) return null
    let left = Math.ceil(share * this.#total)
    for (const [bucket, count] of this.#counts.entries()) {
      left -= count
      if (left <= 0) return Math.round(GROWTH ** (bucket - 0.5) * 10) / 10
    }
    return null
  }

  #halve(): void {
    this.#total = 0
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      // Rounded up: what is rare but there stays there.
      const half = ((this.#counts[bucket] ?? 0) + 1) >> 1
      this.#counts[bucket] = half
      this.#total += half
    }
  }
}
