import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { localhostCertificate } from '../../../sdk/test/servers/certificate.ts'
import { type Origin, startOrigin } from '../../../sdk/test/servers/origin.ts'
import { variables } from '../../src/config-sources.ts'
import { type GatewayStage, startGatewayStage } from './gateway-stage.ts'

const run = promisify(execFile)
const root = new URL('../../../../', import.meta.url)
const guide = await readFile(new URL('docs/gateway.md', root), 'utf8')
const readme = await readFile(new URL('README.md', root), 'utf8')
const commands = (text: string): string[] =>
  [...text.matchAll(/```sh\n([\s\S]*?)```/g)].flatMap(([, block = '']) => block.split('\n')).filter((line) => line.includes('@HUB:8080'))

let stage: GatewayStage
let site: Origin
let folder: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mobilepool-guide-'))
  await writeFile(join(folder, 'ca.pem'), localhostCertificate.cert)
  stage = await startGatewayStage()
  site = await startOrigin({ tls: true })
  await stage.device('seoul-01', { operator: 'SKT', region: 'Seoul', tags: ['farm-1', 'fast'] })
})
afterAll(async () => {
  await stage.close()
  await site.close()
  await rm(folder, { recursive: true })
})

test('every command of docs/gateway.md and of the README’s part on it gets its page', async () => {
  const all = [...commands(guide), ...commands(readme)]
  expect(all.length).toBeGreaterThanOrEqual(9)
  for (const command of all) {
    const told = command
      .replace('HUB:8080', new URL(stage.hub.gatewayUrl ?? '').host)
      .replace('KEY', stage.key)
      .replaceAll('https://example.com', site.url)
      .replace('curl ', 'curl -fsS ')
    const { stdout } = await run('bash', ['-c', told], { env: { PATH: process.env.PATH, CURL_CA_BUNDLE: join(folder, 'ca.pem') } })
    expect(JSON.parse(stdout), command).toMatchObject({ remoteAddress: '127.10.1.1' })
  }
})

test('docs/gateway.md has every setting of the gateway, and no other', () => {
  const named = new Set([...guide.matchAll(/^\| `((?:PROXY|GATEWAY)_[A-Z_]+)` \|/gm)].map(([, name]) => name))
  const known = new Set(variables.map(({ env }) => env[0]).filter((name) => /^(PROXY|GATEWAY)_/.test(name)))
  expect(named).toEqual(known)
})
