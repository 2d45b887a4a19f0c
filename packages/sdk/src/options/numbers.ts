import { z } from 'zod'

/** A whole number in bounds, both included. */
export const count = (min: number, max: number) =>
  z.int(`must be a whole number from ${min} to ${max}`).min(min, `must be at least ${min}`).max(max, `must be at most ${max}`)

/** Longest time that any option takes: a week. */
const LONGEST_MS = 604_800_000
export const ms = (min = 1) => count(min, LONGEST_MS)

/** An HTTP status. */
export const status = count(100, 599)
