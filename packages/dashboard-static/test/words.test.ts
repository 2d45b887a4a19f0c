import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { en } from '../src/words/en.ts'

const source = join(import.meta.dirname, '..', 'src')
const files = readdirSync(source, { recursive: true, encoding: 'utf8' }).filter(
  (name) => /(?<!\.test)\.(vue|ts)$/.test(name) && !name.endsWith('en.ts'),
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
