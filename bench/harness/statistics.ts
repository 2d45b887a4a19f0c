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
 * Median with the interval that holds the true one in 95 of 100 such runs, e.g. `1.3 (1.1 to 1.6)`. By order statistics, so that nothing
 * is assumed about how the numbers are spread; they must be independent.
 */
export function confident(numbers: readonly number[], digits = 1): string {
  const sorted = [...numbers].sort((one, other) => one - other)
  const [middle, reach] = [sorted.length / 2, 0.98 * Math.sqrt(sorted.length)]
  const at = (place: number): string => (sorted[Math.min(Math.max(place, 0), sorted.length - 1)] ?? Number.NaN).toFixed(digits)
  return `${median(sorted).toFixed(digits)} (${at(Math.floor(middle - reach))} to ${at(Math.ceil(middle + reach))})`
}

/** One by one: what the first is to the second. */
export const paired = (ones: readonly number[], others: readonly number[], compare: (one: number, other: number) => number): number[] =>
  ones.slice(0, others.length).map((one, index) => compare(one, others[index] ?? Number.NaN))
