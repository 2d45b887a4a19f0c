import { describe, expect, it } from 'vitest'
import { ago, duration, took } from './duration.ts'
import { t } from './words.ts'

describe('the words', () => {
  it('choose the plural form, write numbers the language’s way, and put values in as they are', () => {
    expect(t('headline.silent', { count: 1 })).toBe('1 device silent')
    expect(t('headline.silent', { count: 2 })).toBe('2 devices silent')
    expect(t('headline.silent', { count: 12_345 })).toBe('12,345 devices silent')
    expect(t('ip.copy', { ip: '$& {ip} <b>' })).toBe('Copy $& {ip} <b>')
    expect(t('ip.copy')).toBe('Copy {ip}')
  })
})

describe('lengths of time', () => {
  const [s, min, h, d] = [1_000, 60_000, 3_600_000, 86_400_000]

  it.each([
    [-5_000, '0 s'],
    [999, '0 s'],
    [12 * s + 900, '12 s'],
    [59 * s, '59 s'],
    [60 * s, '1 min'],
    [h - 1, '59 min'],
    [h, '1 h'],
    [2 * h + 14 * min, '2 h 14 min'],
    [d - 1, '23 h 59 min'],
    [d, '1 d'],
    [3 * d + 5 * h + 59 * min, '3 d 5 h'],
    [400 * d, '400 d'],
  ])('%d ms is %s', (ms, text) => {
    expect(duration(ms)).toBe(text)
  })

  it.each([
    [0, '0 ms'],
    [840, '840 ms'],
    [8_430, '8.4 s'],
    [9_960, '10 s'],
    [34_000, '34 s'],
    [120_000, '2 min'],
  ])('something that took %d ms took %s', (ms, text) => {
    expect(took(ms)).toBe(text)
  })

  it.each([
    [-5_000, 'now'],
    [400, 'now'],
    [12_000, '12 s ago'],
  ])('%d ms ago is "%s"', (ms, text) => {
    expect(ago(ms)).toBe(text)
  })
})
