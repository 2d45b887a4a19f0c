/** Random numbers in [0, 1) that a seed repeats (mulberry32): a failing run can be had again. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** A whole number from `from` to `to`, both included. */
export const between = (random: () => number, from: number, to: number): number => from + Math.floor(random() * (to - from + 1))

/** One of several things, the more often the greater its share. */
export function pick<T>(random: () => number, shares: readonly (readonly [share: number, thing: T])[]): T {
  let left = random() * shares.reduce((sum, [share]) => sum + share, 0)
  for (const [share, thing] of shares) {
    left -= share
    if (left < 0) return thing
  }
  const last = shares.at(-1)
  if (last === undefined) throw new RangeError('nothing to pick from')
  return last[1]
}
