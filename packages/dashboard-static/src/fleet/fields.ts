/**
 * Careful reading of JSON that nobody has checked: each reader takes a value of any kind and returns what it is asked for, or null.
 * The page does not carry zod: its schemas would cost half of the JavaScript budget, and the page must show the devices that it can read
 * even when one of them is odd.
 */

/** A JSON object's fields. */
export type Fields = Readonly<Record<string, unknown>>

export const readFields = (value: unknown): Fields | null =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : null

/** Text without control characters, cut at `longest` characters; null for what is empty or no text. */
export function readText(value: unknown, longest = 200): string | null {
  if (typeof value !== 'string') return null
  const text = value.replace(/\p{Cc}/gu, '').slice(0, longest)
  return text === '' ? null : text
}

/** A count: a whole number from 0. */
export const readCount = (value: unknown): number | null =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : null

/** An ISO 8601 time, as ms since the epoch. */
export function readTime(value: unknown): number | null {
  const at = typeof value === 'string' && value.length < 40 ? Date.parse(value) : Number.NaN
  return Number.isFinite(at) ? at : null
}

/** One of the keys of `allowed`. */
export function readOneOf<Word extends string>(value: unknown, allowed: Readonly<Record<Word, unknown>>): Word | null {
  return typeof value === 'string' && Object.hasOwn(allowed, value) ? (value as Word) : null
}
