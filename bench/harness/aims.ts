/** A promise of the project about a number that a benchmark measures. */
export interface Aim {
  readonly what: string
  readonly value: number
  readonly atMost?: number
  readonly atLeast?: number
}

/** NaN keeps no promise: nothing was measured. */
const isMet = ({ value, atMost = Number.POSITIVE_INFINITY, atLeast = Number.NEGATIVE_INFINITY }: Aim): boolean =>
  value <= atMost && value >= atLeast

const rounded = (value: number): string => String(Number(value.toPrecision(4)))

/** Says which promises were kept; one that was not makes this process end with 1. */
export function judge(aims: readonly Aim[]): void {
  const missed = aims.filter((aim) => !isMet(aim))
  for (const { what, value, atMost, atLeast } of missed) {
    const limit = atMost === undefined ? `at least ${atLeast}` : `at most ${atMost}`
    console.error(`aim missed: ${what}: ${rounded(value)}, should be ${limit}`)
  }
  console.log(`${aims.length - missed.length} of ${aims.length} aims met`)
  if (missed.length > 0) process.exitCode = 1
}
