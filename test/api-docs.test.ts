import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createHub, type Hub } from '@mobilepool/hub'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type ApiDocument, apiFiles } from '../scripts/api-files.ts'

const doc = (name: string): Promise<string> => readFile(new URL(`../docs/${name}`, import.meta.url), 'utf8')

let dataDir: string
let hub: Hub
let served: ApiDocument
beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'mobilepool-api-docs-'))
  hub = await createHub({ port: 0, dataDir, logLevel: 'error' })
  served = (await (await fetch(`${hub.url}/openapi.json`)).json()) as ApiDocument
}, 120_000)
afterAll(async () => {
  await hub.close()
  await rm(dataDir, { recursive: true, force: true })
})

describe('what is checked in is what the hub serves (else: npm run openapi)', () => {
  test('docs/openapi.json', async () => expect(await doc('openapi.json')).toBe(apiFiles(served).json))
  test('docs/api.md', async () => expect(await doc('api.md')).toBe(apiFiles(served).markdown))
})

test('every operation says who may call it, by the guard that it has', () => {
  const security = (method: string, path: string) => served.paths[path]?.[method]?.security
  expect(security('get', '/healthz')).toEqual([])
  expect(security('post', '/api/v1/auth/login')).toEqual([])
  expect(security('get', '/api/v1/users')).toEqual([{ bearer: ['admin'] }, { apiKey: ['admin'] }])
  expect(security('post', '/api/v1/agents/heartbeat')).toEqual([{ bearer: ['device'] }, { apiKey: ['device'] }])
  expect(security('post', '/api/v1/auth/password')).toEqual([{ bearer: ['user', 'admin'] }, { apiKey: ['admin'] }])
  expect(security('get', '/status')?.[0]).toEqual({})
  for (const [path, methods] of Object.entries(served.paths))
    for (const [method, operation] of Object.entries(methods)) expect(operation.security, `${method} ${path}`).toBeDefined()
})
