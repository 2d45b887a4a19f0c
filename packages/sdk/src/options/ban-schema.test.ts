import { expect, test } from 'vitest'
import { MobilePoolError } from '../errors.ts'
import { parseOptions } from './parse-options.ts'
import type { MobilePoolOptions } from './pool-options.ts'

const complaint = (ban: unknown): string => {
  try {
    parseOptions({ devices: ['http://10.0.0.5:8080'], ban } as MobilePoolOptions)
  } catch (error) {
    if (error instanceof MobilePoolError && error.code === 'MP_OPTIONS') return error.message.replace("the pool's options are wrong: ", '')
    throw error
  }
  return 'none'
}

test.each([
  [{ statuses: [42] }, 'ban.statuses[0]: must be at least 100'],
  [{ body: '' }, 'ban.body[0]: must be a text to look for, or a RegExp'],
  [{ body: [/a/, 7] }, 'ban.body[1]: must be a text to look for, or a RegExp'],
  [{ location: null }, 'ban.location[0]: must be a text to look for, or a RegExp'],
  [{ headers: { 'x-a': 7 } }, 'ban.headers.x-a: must be a text to look for, or a RegExp'],
  [{ headers: { 'x a': /a/ } }, 'is not the name of a header'],
  [{ presets: ['cloudfare'] }, 'ban.presets[0]: must be one of: akamai, aws-waf, cloudflare'],
  [{ presets: 'some' }, "ban.presets: must be 'all' or a list of presets"],
  [{ rules: [{ status: 200 }] }, 'ban.rules[0].name: must be a text'],
  [{ rules: [{ name: 'x' }] }, 'ban.rules[0]: needs at least one of `status`, `headers`, `location`, `body`'],
  [{ rules: [{ name: 'x', hosts: ['a.com'] }] }, 'ban.rules[0]: needs at least one of `status`, `headers`, `location`, `body`'],
  [{ rules: [{ name: 'x', body: 'y', hosts: ['https://a.com/'] }] }, 'ban.rules[0].hosts[0]: must be a host name, e.g. example.com'],
  [{ rules: [{ name: 'x', body: 'y', hosts: [] }] }, 'ban.rules[0].hosts: is empty: leave it out for all'],
  [{ rules: [{ name: 'x', text: 'y' }] }, 'ban.rules[0].text: there is no such option'],
  [{ inspect: { bytes: 0 } }, 'ban.inspect.bytes: must be at least 1'],
  [{ inspect: { bytes: 1_000_000 } }, 'ban.inspect.bytes: must be at most 65536'],
  [{ inspect: { contentTypes: ['html'] } }, 'ban.inspect.contentTypes[0]: must be a media type like text/html'],
  [{ inspect: { contentTypes: [] } }, 'ban.inspect.contentTypes: is empty'],
])('%j is refused: %s', (ban, message) => {
  expect(complaint(ban)).toContain(message)
})

test.each([
  [{ body: 'captcha', location: /x/g, headers: { 'X-Wall': /^/ }, presets: 'all' }],
  [
    {
      presets: ['cloudflare', 'datadome'],
      rules: [{ name: 'mine', status: 200, body: /x/, hosts: ['shop.com', '127.0.0.1', '2001:db8::1'] }],
    },
  ],
  [{ inspect: { contentTypes: ['text/*', 'Application/JSON'] }, body: [] }],
  [{ body: undefined, location: undefined, rules: [{ name: 'mine', status: [200, 403], headers: undefined }] }],
])('%j is fine', (ban) => {
  expect(complaint(ban)).toBe('none')
})
