import { expect, test } from 'vitest'
import { proxyForms } from './proxy-forms.ts'

test.each([
  ['http://us%40er:p%3Ass@127.0.0.1:8080', 'http://127.0.0.1:8080', { username: 'us@er', password: 'p:ss' }],
  ['http://10.0.0.5:8080', 'http://10.0.0.5:8080', null],
  ['https://u:100%@[::1]:8443', 'https://[::1]:8443', { username: 'u', password: '100%' }],
  ['socks5h://10.0.0.5:1080', 'socks5://10.0.0.5:1080', null],
])('%s in the shapes of Playwright and Puppeteer', (proxyUrl, server, credentials) => {
  const forms = proxyForms(proxyUrl)
  expect(forms.proxyUrl).toBe(proxyUrl)
  expect(forms.playwright).toEqual({ server, ...credentials })
  expect(forms.puppeteer.args[0]).toBe(`--proxy-server=${server}`)
  expect(forms.puppeteer.authenticate).toEqual(credentials)
})
