const UNITS_MS = { m: 60_000, h: 3_600_000, d: 86_400_000 } as const

/** The milliseconds of a `duration` of the contract, like `24h`. */
export function durationMs(text: string): number {
  const unit = text.at(-1) as keyof typeof UNITS_MS
  return Number(text.slice(0, -1)) * UNITS_MS[unit]
}
