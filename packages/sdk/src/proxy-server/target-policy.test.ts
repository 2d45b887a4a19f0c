import { expect, test } from 'vitest'
import { parseConnectTarget } from './target.ts'
import { createTargetPolicy } from './target-policy.ts'

const judged = (authority: string, options = {}) => createTargetPolicy(options).judge(parseConnectTarget(authority))

test.each([
  ['127.0.0.1:80'],
  ['0x7f.1:80'],
  ['2130706433:80'],
  ['0177.0.0.1:80'],
  ['[::1]:80'],
  ['[::ffff:10.0.0.1]:80'],
  ['169.254.169.254:80'],
  ['localhost:80'],
  ['a.localhost:80'],
  ['LOCALHOST.:80'],
  ['metadata.google.internal:80'],
])('%s is refused before anything is resolved', (authority) => {
  expect(judged(authority)).toContain('not on the public internet')
})

test.each([['example.com:443'], ['1.1.1.1:443'], ['[2606:4700::1111]:443'], ['notlocalhost:80']])('%s passes', (authority) => {
  expect(judged(authority)).toBeNull()
})

test.each([
  ['127.0.0.1:80', null],
  ['localhost:80', null],
  ['192.168.8.1:80', null],
  ['169.254.169.254:80', 'refused'],
  ['[fe80::1]:80', 'refused'],
  ['224.0.0.1:80', 'refused'],
])('with private targets allowed %s is %s', (authority, verdict) => {
  expect(judged(authority, { allowPrivate: true }) === null ? null : 'refused').toBe(verdict)
})

test.each([
  [80, true],
  [443, true],
  [8000, true],
  [8999, true],
  [9000, false],
  [25, false],
  [22, false],
])('of ports 80, 443 and 8000 to 8999 port %i is allowed: %s', (port, isAllowed) => {
  expect(judged(`example.com:${port}`, { ports: [80, 443, [8000, 8999]] }) === null).toBe(isAllowed)
})

test('an empty list of ports allows none', () => {
  expect(judged('example.com:443', { ports: [] })).toContain('port 443')
})

test.each([[[0]], [[65_536]], [[[90, 80]]], [['80']]])('ports %j are bad options', (ports) => {
  expect(() => createTargetPolicy({ ports: ports as number[] })).toThrow('ports: must be')
})

test('a name is judged again by each of its addresses', () => {
  const policy = createTargetPolicy()
  expect(policy.judge({ host: 'rebound.example', port: 80 })).toBeNull()
  expect(['1.1.1.1', '10.0.0.1', '::1', '169.254.169.254'].filter(policy.allowsAddress)).toEqual(['1.1.1.1'])
})
