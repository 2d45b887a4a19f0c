/**
 * Reads a `Retry-After` header (seconds or an HTTP date, RFC 9110 10.2.3) as milliseconds from `now` (ms since 1970).
 * Undefined when there is none or it says nothing.
 */
export function readRetryAfter(value: string | string[] | undefined, now: number): number | undefined {
  const text = (Array.isArray(value) ? value[0] : value)?.trim()
  if (text === undefined || text === '') return undefined
  if (/^\d+$/.test(text)) return Number(text) * 1000
  // An HTTP date begins with a weekday; Date.parse would make a year of "-5".
  const date = /^[a-z]/i.test(text) ? Date.parse(text) : Number.NaN
  return Number.isNaN(date) ? undefined : Math.max(0, date - now)
}
