import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { startTargetSite, type TargetSite } from '../demo/target-site.ts'
import { type HubProcess, startHubProcess } from './processes.ts'

vi.setConfig({ testTimeout: 60_000, hookTimeout: 120_000 })

const root = join(import.meta.dirname, '..')
const run = promisify(execFile)
const readme = await readFile(join(root, 'README.md'), 'utf8')
const blocks = (language: string) =>
  [...readme.matchAll(new RegExp(`\`\`\`${language}\n([\\s\\S]*?)\`\`\``, 'g'))].map(([, code]) => code ?? '')

describe('the README', () => {
  let hub: HubProcess
  let target: TargetSite

  beforeAll(async () => {
    hub = await startHubProcess()
    target = await startTargetSite({ afterRequests: [1_000_000, 1_000_001], forMs: 1000 })
    await hub.startAgent('seoul-01', 3)
    await hub.online(1)
  })

  afterAll(async () => {
    await hub.remove()
    await target.close()
  })

  it('shows a parser of fifteen lines that is examples/scrape.mjs and works', async () => {
    const [parser] = blocks('js')
    expect(parser).toBe(await readFile(join(root, 'examples/scrape.mjs'), 'utf8'))
    expect(parser?.trimEnd().split('\n').length).toBeLessThanOrEqual(15)
    const env = { ...process.env, MOBILEPOOL_HUB_URL: hub.url, MOBILEPOOL_TOKEN: await hub.parserKey() }
    const { stdout } = await run(process.execPath, ['examples/scrape.mjs', `${target.url}/page/one`, `${target.url}/page/two`], {
      cwd: root,
      env,
    })
    expect(stdout.split('\n')).toEqual([
      expect.stringMatching(/^200 seoul-01 \{"id":"one","address":"127\.20\.3\.1"/),
      expect.stringMatching(/^200 seoul-01 \{"id":"two","address":"127\.20\.3\.1"/),
      '',
    ])
  })

  it('shows a crontab line and curl commands that a hub accepts', async () => {
    const shell = (command: string) => run('bash', ['-c', command], { env: { ...process.env, ADMIN_KEY: hub.adminKey } })
    const commands = blocks('sh')
      .join('')
      .replaceAll('\\\n', ' ')
      .split('\n')
      .filter((line) => line.includes('curl') && !line.includes('HUB:8080')) // those are for packages/hub/test/gateway/docs.test.ts
      .map((line) => line.replaceAll('http://HUB:3001', hub.url))
    expect(commands).toHaveLength(4)
    const [crontab = '', adopt = '', token = '', parserKey = ''] = commands
    expect(crontab.slice(0, 10)).toBe('* * * * * ')
    await shell(crontab.slice(10).replace('> /dev/null', ''))
    expect(JSON.parse((await shell(adopt)).stdout)).toMatchObject({ name: 'phone-07', operator: 'MTS' })
    // The README's device is already enrolled here; the hub makes a token for it all the same.
    expect(JSON.parse((await shell(token)).stdout)).toMatchObject({ token: expect.stringMatching(/^mpe_/) })
    expect(JSON.parse((await shell(parserKey)).stdout)).toMatchObject({ scope: 'proxy', key: expect.stringMatching(/^mp_/) })
  })

  it('names only npm scripts that exist', async () => {
    const { scripts } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { scripts: Record<string, string> }
    const named = [...readme.matchAll(/npm (?:run (\w+)|(test))/g)].map(([, script, test]) => script ?? test ?? '')
    expect(named.length).toBeGreaterThan(2)
    expect(named.filter((name) => !(name in scripts))).toEqual([])
  })
})
