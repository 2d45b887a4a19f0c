import { InvalidArgumentError } from 'commander'

/** Something on the command line is wrong: one sentence that names it and says what would be right. The command ends with 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

/** What a command ends with. */
export const EXIT = { fine: 0, notFine: 1, usage: 2 } as const

/** Reads a whole number within bounds, for an option that takes one. */
export const wholeNumber =
  (min: number, max: number) =>
  (text: string): number => {
    const number = Number(text)
    if (!/^\d+$/.test(text) || number < min || number > max)
      throw new InvalidArgumentError(`It must be a whole number from ${min} to ${max}.`)
    return number
  }

/** Reads an http:// or https:// URL without credentials. */
export function webUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol)) throw new InvalidArgumentError('It must be an http:// or https:// URL.')
  if (url.username !== '' || url.password !== '') throw new InvalidArgumentError('It may not hold credentials.')
  return url
}

/** For an option that may be given several times. */
export const collect = (value: string, before: readonly string[] = []): string[] => [...before, value]
