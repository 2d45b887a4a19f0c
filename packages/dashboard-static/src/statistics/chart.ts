/** One line of a chart, or one layer of its bars; null where nothing was measured. */
export interface Series {
  readonly name: string
  readonly values: readonly (number | null)[]
  /** A tone of the page: `good`, `warn`, `bad`, `turn`, `accent`. */
  readonly tone: string
}

/** A part of a bar, in a chart that is `1` high. */
export interface Bar {
  readonly step: number
  readonly from: number
  readonly height: number
  readonly tone: string
}

/** The largest value that is drawn; 1 where all are 0, so that nothing is divided by it. */
export function highest(series: readonly Series[], isStacked: boolean): number {
  const steps = series[0]?.values.length ?? 0
  let most = 0
  for (let step = 0; step < steps; step++) {
    const values = series.map(({ values }) => values[step] ?? 0)
    most = Math.max(most, isStacked ? values.reduce((sum, value) => sum + value, 0) : Math.max(...values))
  }
  return most === 0 ? 1 : most
}

/** Layers on top of each other, the first one below. */
export function stack(series: readonly Series[], top: number): Bar[] {
  const below: number[] = []
  return series.flatMap(({ values, tone }) =>
    values.flatMap((value, step) => {
      const height = (value ?? 0) / top
      const from = below[step] ?? 0
      below[step] = from + height
      return height === 0 ? [] : [{ step, from, height, tone }]
    }),
  )
}

/** Pieces of a line, each an SVG path; where nothing was measured there is a gap. A point alone is a short dash. */
export function linePaths({ values }: Series, top: number): string[] {
  const pieces: string[] = []
  let points: string[] = []
  const end = (): void => {
    const [only] = points
    if (points.length === 1 && only !== undefined) pieces.push(`M${only}h0.4`)
    else if (points.length > 1) pieces.push(`M${points.join('L')}`)
    points = []
  }
  for (const [step, value] of values.entries()) {
    if (value === null) end()
    else points.push(`${step + 0.5} ${round(1 - value / top)}`)
  }
  end()
  return pieces
}

const round = (value: number): number => Math.round(value * 10_000) / 10_000
