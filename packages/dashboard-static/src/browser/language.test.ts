import { describe, expect, it } from 'vitest'
import { preferred } from './language.ts'

describe('the language of a first visit', () => {
  it.each([
    [['ru-KZ', 'en'], 'ru'],
    [['ko'], 'ko'],
    [['de-DE', 'KO-KR', 'ru'], 'ko'],
    [['de', 'fr'], 'en'],
    [['constructor', 'toString'], 'en'],
    [[], 'en'],
  ])('of a reader of %j is %s', (wanted, tag) => {
    expect(preferred(wanted)).toBe(tag)
  })
})
