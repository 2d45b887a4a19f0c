import { expect, it } from 'vitest'
import { readKeys, readUsers, typedLimit } from './accounts.ts'

it('users are read, and those left out that make no sense', () => {
  const ivan = { id: '1', username: 'ivan', role: 'user', is_active: true, requests_limit: null, requests_used: 7, last_login_at: null }
  expect(readUsers({ users: [ivan, { ...ivan, role: 'king' }, null] })).toEqual([
    { id: '1', name: 'ivan', role: 'user', isActive: true, used: 7, limit: null, lastLoginAt: null },
  ])
  expect(readUsers([])).toBeNull()
})

it('keys that are good stand before revoked ones', () => {
  const key = { id: '1', name: 'old', scope: 'read', revoked_at: '2026-01-01T00:00:00.000Z' }
  const read = readKeys({ keys: [key, { ...key, id: '2', name: 'new', revoked_at: null }, { id: '3', scope: 'all' }] })
  expect(read?.map(({ name, isRevoked }) => [name, isRevoked])).toEqual([
    ['new', false],
    ['old', true],
  ])
})

it.each([
  ['', null],
  [' ', null],
  ['0', 0],
  [' 500 ', 500],
  ['many', 'many'],
])('a quota typed as "%s" is %j', (text, limit) => {
  expect(typedLimit(text)).toBe(limit)
})
