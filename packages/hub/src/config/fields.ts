import { z } from 'zod'

/** A time in ms, given and complained about in seconds. */
export const seconds = (min: number, max: number) =>
  z
    .number({ error: 'must be a number of seconds' })
    .min(min * 1000, `must be at least ${min} seconds`)
    .max(max * 1000, `must be at most ${max} seconds`)

/** A whole number within bounds that its complaint names. */
export const wholeNumber = (min: number, max: number) =>
  z.int({ error: 'must be a whole number' }).min(min, `must be ${min} to ${max}`).max(max, `must be ${min} to ${max}`)
