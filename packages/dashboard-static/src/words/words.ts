import { shallowRef } from 'vue'
import { en } from './en.ts'

/** What can be said. */
export type WordKey = keyof typeof en

/** A text, or one a plural category; every language has `other`. */
type Wording = string | ({ readonly other: string } & { readonly [Category in Intl.LDMLPluralRule]?: string })

/** All words of one language. */
export type Words = Readonly<Record<WordKey, Wording>>

interface Language {
  readonly words: Words
  readonly plural: Intl.PluralRules
  readonly number: Intl.NumberFormat
  readonly dateTime: Intl.DateTimeFormat
  readonly date: Intl.DateTimeFormat
}

const language = (tag: string, words: Words): Language => ({
  words,
  plural: new Intl.PluralRules(tag),
  number: new Intl.NumberFormat(tag, { maximumFractionDigits: 1 }),
  dateTime: new Intl.DateTimeFormat(tag, { dateStyle: 'medium', timeStyle: 'medium' }),
  date: new Intl.DateTimeFormat(tag, { dateStyle: 'medium' }),
})

/** The language shown. A ref, so that whatever was said with `t` is said anew when it changes. */
const current = shallowRef(language('en', en))

/** Shows the page in a language from now on; `tag` is its BCP 47 tag, which decides plurals, numbers and dates. */
export function speak(tag: string, words: Words): void {
  current.value = language(tag, words)
}

/** Says `key` with its values; `count` chooses the plural form. Numbers are written the language's way. */
export function t(key: WordKey, values: Readonly<Record<string, string | number>> = {}): string {
  const { words, plural, number } = current.value
  const wording: Wording = words[key]
  const { count } = values
  const text = typeof wording === 'string' ? wording : (typeof count === 'number' && wording[plural.select(count)]) || wording.other
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => {
    const value = values[name]
    return typeof value === 'number' ? number.format(value) : (value ?? whole)
  })
}

/** A moment in full, in the reader's time zone; `at` in ms since the epoch. */
export const moment = (at: number): string => current.value.dateTime.format(at)

/** The day of a moment, in the reader's time zone. */
export const day = (at: number): string => current.value.date.format(at)

const units = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte'] as const

/** An amount of data in the unit that fits: "3.4 GB". */
export function data(bytes: number): string {
  const power = bytes < 1000 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(bytes) / 3))
  return measure(bytes / 1000 ** power, { style: 'unit', unit: units[power] ?? 'byte', unitDisplay: 'short' })
}

/** A share, 0 to 1: "97.3 %" or "97.3%", as the language has it. */
export const share = (ratio: number): string => measure(ratio, { style: 'percent' })

/** A whole number. */
export const count = (value: number): string => current.value.number.format(value)

/** Degrees Celsius. */
export const degrees = (celsius: number): string => measure(celsius, { style: 'unit', unit: 'celsius' })

const measure = (value: number, options: Intl.NumberFormatOptions): string =>
  new Intl.NumberFormat(current.value.number.resolvedOptions().locale, { maximumFractionDigits: 1, ...options }).format(value)
