/** A moment as JSON has it. */
export const stamp = (time: number): string => new Date(time).toISOString()

export const stampOrNull = (time: number | null): string | null => (time === null ? null : stamp(time))
