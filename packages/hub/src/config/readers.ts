/** How the text of a variable or flag becomes an option's value; what cannot be read is left for the schema to refuse. */
export const text = (value: string): string => value

export const number = (value: string): unknown => (value.trim() === '' || Number.isNaN(Number(value)) ? value : Number(value))

/** Seconds as milliseconds. */
export const seconds = (value: string): unknown => {
  const parsed = number(value)
  return typeof parsed === 'number' ? parsed * 1000 : parsed
}

/** Items between commas. */
export const list = (value: string): string[] =>
  value
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '')

export const yesNo = (value: string): unknown => {
  if (/^(1|true|yes|on)$/i.test(value)) return true
  return /^(0|false|no|off)$/i.test(value) ? false : value
}
