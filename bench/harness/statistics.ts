/** The value below which the given share of the numbers lies; 0.5: the median. */
function quantile(numbers: readonly number[], share: number): number {
  const sorted = [...numbers].sort((one, other) => one - other)
  const place = (sorted.length - 1) * share
  const [low = Number.NaN, high = low] = [sorted[Math.floor(place)], sorted[Math.ceil(place)]]
  return low + (high - low) * (place - Math.floor(place))
}

export const median = (numbers: readonly number[]): number => quantile(numbers, 0.5)

/** Median with the middle half of the numbers, e.g. `1.3 (0.9 to 1.8)`. */
export function spread(numbers: readonly number[], digits = 1): string {
  const [low, middle, high] = [0.25, 0.5, 0.75].map((share) => quantile(numbers, share).toFixed(digits))
  return `${middle} (${low} to ${high})`
}

/**
 * The interval that holds the true median in 95 of 100 such runs. By order statistics, so that nothing is assumed about how the numbers are
 * spread; they must be independent.
 */
export function interval(numbers: readonly number[]): [low: number, high: number] {
  const sorted = [...numbers].sort((one, other) => one - other)
  const [middle, reach] = [sorted.length / 2, 0.98 * Math.sqrt(sorted.length)]
  const at = (place: number): number => sorted[Math.min(Math.max(place, 0), sorted.length - 1)] ?? Number.NaN
  return [at(Math.floor(middle - reach)), at(Math.ceil(middle + reach))]
}

/** Median with that interval, e.g. `1.3 (1.1 to 1.6)`. */
export function confident(numbers: readonly number[], digits = 1): string {
  const [low, high] = interval(numbers)
  return `${median(numbers).toFixed(digits)} (${low.toFixed(digits)} to ${high.toFixed(digits)})`
}

/** One by one: what the first is to the second. */
export const paired = (ones: readonly number[], others: readonly number[], compare: (one: number, other: number) => number): number[] =>
  ones.slice(0, others.length).map((one, index) => compare(one, others[index] ?? Number.NaN))
