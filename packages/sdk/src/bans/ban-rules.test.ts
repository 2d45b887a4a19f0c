import { expect, test } from 'vitest'
import type { BanRule } from './ban-rule.ts'
import { BanRules } from './ban-rules.ts'
import { listRules } from './list-rules.ts'

const inspect = { bytes: 64, maxWaitMs: 100, contentTypes: ['text/html', 'application/*'] }
const none = { statuses: [], headers: {}, location: [], body: [], presets: [], rules: [] }
const judge = (rules: readonly BanRule[], status: number, headers: Record<string, string | string[]> = {}, hostname = 'www.shop.com') =>
  new BanRules(rules, inspect).judgeHead('GET', hostname, status, headers)

const html = { 'content-type': 'text/html' }

test('all that a rule names must hold, and one rule is enough', () => {
  const rules: BanRule[] = [
    { name: 'both', status: 200, headers: { 'X-Wall': /^on$/, server: 'nginx' } },
    { name: 'other', status: [418, 419] },
  ]
  expect(judge(rules, 200, { 'x-wall': 'on', server: 'NGINX/1' }).match).toEqual({ rule: 'both', by: 'header' })
  for (const headers of [{ 'x-wall': 'on' }, { server: 'nginx' }, { 'x-wall': 'off', server: 'nginx' }]) {
    expect(judge(rules, 200, headers).match).toBeNull()
  }
  expect(judge(rules, 404, { 'x-wall': 'on', server: 'nginx' }).match).toBeNull()
  expect(judge(rules, 419).match).toEqual({ rule: 'other', by: 'status' })
})

test('a header may come several times; a text is no pattern', () => {
  expect(
    judge([{ name: 'cookie', headers: { 'set-cookie': 'wall=1' } }], 200, { 'set-cookie': ['a=1', 'wall=1; Path=/'] }).match,
  ).not.toBeNull()
  expect(judge([{ name: 'dots', headers: { server: 'a.b' } }], 200, { server: 'axb' }).match).toBeNull()
})

test.each([
  ['shop.com', true],
  ['www.SHOP.com', true],
  ['shop.com.', true],
  ['myshop.com', false],
  ['shop.com.evil.org', false],
])('a rule for shop.com and %s: %s', (hostname, applies) => {
  expect(judge([{ name: 'theirs', status: 200, hosts: ['Shop.com'] }], 200, {}, hostname).match !== null).toBe(applies)
})

test('only a redirect has a location that counts', () => {
  const rules: BanRule[] = [{ name: 'there', location: '/captcha' }]
  expect(judge(rules, 302, { location: '/captcha?x' }).match).toEqual({ rule: 'there', by: 'location' })
  expect(judge(rules, 201, { location: '/captcha?x' }).match).toBeNull()
  expect(judge(rules, 302).match).toBeNull()
})

test('a body is looked at only where a rule for it is left', () => {
  const rules: BanRule[] = [{ name: 'page', status: 200, headers: { server: 'x' }, body: 'captcha' }]
  const found = judge(rules, 200, { ...html, server: 'x' }).bodyTest
  expect(found?.match([Buffer.from('a CAPT'), Buffer.from('CHA')])).toEqual({ rule: 'page', by: 'body' })
  expect(found?.match([Buffer.from(`${'x'.repeat(64)}captcha`)])).toBeNull()
  expect(found?.match([])).toBeNull()
  expect(judge(rules, 404, { ...html, server: 'x' }).bodyTest).toBeNull()
  expect(judge(rules, 200, { ...html, server: 'y' }).bodyTest).toBeNull()
})

test.each([
  ['text/html', true],
  ['Text/HTML; charset=utf-8', true],
  ['application/json', true],
  ['text/plain', false],
  ['image/png', false],
])('content type %s is looked at: %s', (contentType, isLookedAt) => {
  expect(judge([{ name: 'page', body: 'x' }], 200, { 'content-type': contentType }).bodyTest !== null).toBe(isLookedAt)
})

test('text is read in the charset that the header names', () => {
  const { bodyTest } = judge([{ name: 'ru', body: 'робот' }], 200, { 'content-type': 'text/html; charset="windows-1251"' })
  expect(bodyTest?.match([Buffer.from([0xd0, 0xce, 0xc1, 0xce, 0xd2])])).toEqual({ rule: 'ru', by: 'body' })
  const unknown = judge([{ name: 'ru', body: 'робот' }], 200, { 'content-type': 'text/html; charset=klingon' }).bodyTest
  expect(unknown?.match([Buffer.from('Вы робот?')])).not.toBeNull()
})

test('rules in short get names, and the more a rule says the earlier it is tried', () => {
  const rules = listRules({
    ...none,
    statuses: [403],
    headers: { 'X-Wall': /^/ },
    location: ['/captcha'],
    body: [/captcha/i],
    presets: ['aws-waf'],
    rules: [{ name: 'mine', status: 403, headers: { 'x-mine': /^/ } }],
  })
  expect(rules.map(({ name }) => name)).toEqual([
    'mine',
    'aws-waf: challenge',
    'aws-waf: captcha',
    'header x-wall',
    'location "/captcha"',
    'body /captcha/i',
    'status 403',
  ])
  expect(judge(rules, 403, { 'x-mine': '1' }).match?.rule).toBe('mine')
  expect(judge(rules, 403, html)).toEqual({ match: { rule: 'status 403', by: 'status' }, bodyTest: null })
  expect(listRules({ ...none, presets: 'all' }).length).toBeGreaterThan(20)
})
