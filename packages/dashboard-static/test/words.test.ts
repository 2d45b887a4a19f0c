import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { en } from '../src/words/en.ts'
import { ko } from '../src/words/ko.ts'
import { ru } from '../src/words/ru.ts'

const source = join(import.meta.dirname, '..', 'src')
const files = readdirSync(source, { recursive: true, encoding: 'utf8' }).filter(
  (name) => /(?<!\.test)\.(vue|ts)$/.test(name) && !/(^|\/)(en|ru|ko)\.ts$/.test(name),
)
const code = files.map((name) => readFileSync(join(source, name), 'utf8')).join('\n')

/** `reason.busy` may stand in the code as `reason.${…}`. */
const families = (key: string): string[] =>
  key.split('.').flatMap((_, n, parts) => (n === 0 ? [] : [`\`${parts.slice(0, n).join('.')}.\${`]))

it('every word that is written is shown somewhere', () => {
  const unused = Object.keys(en).filter((key) => ![`'${key}'`, ...families(key)].some((text) => code.includes(text)))
  expect(unused).toEqual([])
})

it('no component has words of its own: what a template shows comes from t()', () => {
  const own = files
    .filter((name) => name.endsWith('.vue'))
    .flatMap((name) => {
      const template = readFileSync(join(source, name), 'utf8').split('<template>').slice(1).join('<template>')
      const texts = template
        .replace(/<!--[\s\S]*?-->/g, '')
        .replace(/<(?:"[^"]*"|[^>"])*>/g, '\n')
        .replace(/\{\{[\s\S]*?\}\}/g, '')
      return texts.match(/\p{L}{2,}.*/gu)?.map((text) => `${name}: ${text}`) ?? []
    })
  expect(own).toEqual([])
})

const forms = (wording: unknown): Record<string, string> =>
  typeof wording === 'string' ? { other: wording } : (wording as Record<string, string>)
const places = (text = ''): Set<string> => new Set(text.match(/\{\w+\}/g))
const languages = Object.entries({ en, ru, ko })

it.each(languages)(
  '%s says everything, with the values that English has, and in every plural form that the language knows',
  (tag, words) => {
    expect(Object.keys(words)).toEqual(Object.keys(en))
    const categories = new Intl.PluralRules(tag).resolvedOptions().pluralCategories
    for (const [key, wording] of Object.entries(words)) {
      const english = en[key as keyof typeof en]
      const isCounted = typeof english !== 'string'
      expect(new Set(Object.keys(forms(wording))), key).toEqual(new Set(isCounted ? categories : ['other']))
      for (const text of Object.values(forms(wording))) {
        expect(text.trim(), key).not.toBe('')
        // "The one device": English leaves the count out where it is one.
        if (tag !== 'en') expect(places(text), key).toEqual(places(forms(english).other))
      }
    }
  },
)

it.each([
  ['ru', ru, /[А-яЁё]/],
  ['ko', ko, /[가-힣]/],
] as const)('nothing in %s is left in English but names and units', (_tag, words, script) => {
  const names = new Set(['page.name', 'type.android', 'type.raspberry_pi', 'time.ms', 'channel.telegram', 'channel.slack'])
  const own = Object.entries(words).filter(([key, wording]) => !names.has(key) && !script.test(Object.values(forms(wording)).join(' ')))
  expect(own.map(([key]) => key)).toEqual([])
})
