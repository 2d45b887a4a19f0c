/** What is a list, as one; anything else is an empty one. */
export const readList = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : [])

/** For `filter`: what a reader could read. */
export const known = <T>(value: T | null): value is T => value !== null

/** A number of any kind, but no NaN. */
export const readNumber = (value: unknown): number | null => (typeof value === 'number' && Number.isFinite(value) ? value : null)
