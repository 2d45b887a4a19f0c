import { expect, test } from 'vitest'
import { createSiteLookup } from './site.ts'

const siteOf = createSiteLookup()

test.each([
  ['example.com', 'example.com'],
  ['www.shop.example.com', 'example.com'],
  ['shop.example.co.uk', 'example.co.uk'],
  ['xn--e1afmkfd.xn--p1ai', 'xn--e1afmkfd.xn--p1ai'],
  ['localhost', 'localhost'],
  ['127.0.0.1', '127.0.0.1'],
  ['2001:db8::1', '2001:db8::1'],
  ['printer', 'printer'],
  ['WWW.Example.COM', 'example.com'],
  ['www.example.com.', 'example.com'],
  ['Printer.', 'printer'],
  [`${'a'.repeat(300)}.Example.com`, `${'a'.repeat(241)}.example.com`],
])('the site of %s is %s', (hostname, site) => {
  expect(siteOf(hostname)).toBe(site)
  expect(siteOf(hostname)).toBe(site)
})

test('hosts beyond what is remembered are still answered rightly', () => {
  for (let i = 0; i < 10_050; i++) expect(siteOf(`h${i}.example.org`)).toBe('example.org')
})
