import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { freePort, type HubProcess, startHubProcess } from './processes.ts'

const deploy = join(import.meta.dirname, '../deploy')

interface Panel {
  id: number
  type: string
  title: string
  gridPos: { x: number; y: number; w: number; h: number }
  datasource?: { uid: string }
  targets?: { expr: string; datasource: { uid: string } }[]
}
const readPanels = async (): Promise<Panel[]> =>
  (JSON.parse(await readFile(join(deploy, 'grafana/dashboards/mobilepool.json'), 'utf8')) as { panels: Panel[] }).panels
const expressions = async (): Promise<string[]> => (await readPanels()).flatMap(({ targets = [] }) => targets.map(({ expr }) => expr))

test("Grafana's dashboard is drawn from the data source that is provisioned, no panel over another", async () => {
  const sources = parse(await readFile(join(deploy, 'grafana/provisioning/datasources/prometheus.yaml'), 'utf8')) as {
    datasources: { uid: string }[]
  }
  const uid = sources.datasources[0]?.uid
  const panels = await readPanels()
  expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length)
  const taken = new Map<string, string>()
  for (const { type, title, gridPos, datasource, targets = [] } of panels) {
    expect(gridPos.x + gridPos.w).toBeLessThanOrEqual(24)
    for (let x = gridPos.x; x < gridPos.x + gridPos.w; x += 1)
      for (let y = gridPos.y; y < gridPos.y + gridPos.h; y += 1) {
        expect(taken.get(`${x} ${y}`), `what ${title} covers`).toBeUndefined()
        taken.set(`${x} ${y}`, title)
      }
    if (type === 'row') continue
    expect(datasource?.uid).toBe(uid)
    expect(targets.length).toBeGreaterThan(0)
    for (const target of targets) expect(target.datasource.uid).toBe(uid)
  }
  // The seven of the specification: system, devices, load, rotations, success, response times, resources.
  expect(panels.filter(({ type }) => type === 'row')).toHaveLength(7)
})

const missing = ['promtool', 'prometheus'].filter((tool) => spawnSync(tool, ['--version']).status !== 0)
if (missing.length > 0) console.log(`skipped: Prometheus reads the hub (not installed: ${missing.join(', ')})`)

describe.skipIf(missing.length > 0)('Prometheus', () => {
  let hub: HubProcess
  let folder: string
  let prometheus: ChildProcess | undefined
  let url: string
  const target = createServer((_request, response) => response.end('the target'))

  const promtool = (...args: string[]): string =>
    execFileSync('promtool', args, { encoding: 'utf8', stdio: 'pipe', cwd: join(deploy, 'prometheus') })

  async function query(expression: string): Promise<unknown[]> {
    const answer = await fetch(`${url}/api/v1/query?${new URLSearchParams({ query: expression })}`)
    const { status, error, data } = (await answer.json()) as { status: string; error?: string; data: { result: unknown[] } }
    if (status !== 'success') throw new Error(`${expression}: ${error}`)
    return data.result
  }

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'mobilepool-prometheus-'))
    target.listen(0, '127.0.0.1')
    await once(target, 'listening')
    // Not as public as on loopback: Prometheus has to bring its key.
    // As beyond loopback: Prometheus has to bring its key.
    hub = await startHubProcess({ hasGateway: true, env: { PUBLIC_STATUS: 'false' } })
  })

  afterAll(async () => {
    if (prometheus?.exitCode === null) {
      prometheus.kill('SIGTERM')
      await once(prometheus, 'exit')
    }
    target.close()
    await hub.remove()
    await rm(folder, { recursive: true, force: true })
  })

  test('takes configuration and rules, and each rule fires when it should and is silent when it should not', async () => {
    expect(promtool('check', 'config', '--syntax-only', 'prometheus.yml')).toContain('SUCCESS')
    expect(promtool('check', 'rules', 'rules.yml')).toContain('SUCCESS')
    expect(promtool('test', 'rules', 'rules.test.yml')).toContain('SUCCESS')
    const { groups } = parse(await readFile(join(deploy, 'prometheus/rules.yml'), 'utf8')) as { groups: { rules: { alert?: string }[] }[] }
    const alerts = groups.flatMap(({ rules }) => rules.flatMap(({ alert = [] }) => alert))
    const tests = await readFile(join(deploy, 'prometheus/rules.test.yml'), 'utf8')
    expect(alerts.filter((name) => !new RegExp(`alertname: ${name}\\n\\s+exp_alerts:`).test(tests))).toEqual([])
  })

  test('finds a value for every query of the dashboard on a hub that works', { timeout: 90_000 }, async () => {
    await hub.startAgent('seoul-01', 79)
    await hub.online(1)
    const headers = { authorization: `Bearer ${hub.adminKey}`, 'content-type': 'application/json' }
    const made = await fetch(`${hub.url}/api/v1/keys`, {
      method: 'POST',
      headers,
      body: JSON.stringify({ name: 'prometheus', scope: 'read' }),
    })
    await writeFile(join(folder, 'key'), ((await made.json()) as { key: string }).key)

    const port = await freePort()
    url = `http://127.0.0.1:${port}`
    let config = await readFile(join(deploy, 'prometheus/prometheus.yml'), 'utf8')
    const replacements = [
      ['hub:3001', new URL(hub.url).host],
      ['/run/secrets/metrics-key', join(folder, 'key')],
      ['/etc/prometheus', join(deploy, 'prometheus')],
      ['interval: 15s', 'interval: 1s'],
    ] as const
    for (const [from, to] of replacements) {
      expect(config).toContain(from)
      config = config.replaceAll(from, to)
    }
    await writeFile(join(folder, 'prometheus.yml'), config)
    const flags = [
      `--config.file=${join(folder, 'prometheus.yml')}`,
      `--storage.tsdb.path=${folder}/data`,
      `--web.listen-address=127.0.0.1:${port}`,
    ]
    prometheus = spawn('prometheus', flags, { stdio: 'ignore' })

    const proxy = `http://ivan:${await hub.parserKey()}@${new URL(hub.gatewayUrl ?? '').host}`
    const page = `http://127.0.0.1:${(target.address() as AddressInfo).port}/`
    const curl = spawn('curl', ['-fsS', '-m', '15', '--noproxy', '', '-x', proxy, page], { stdio: 'ignore' })
    expect(await once(curl, 'exit')).toEqual([0, null])
    const asked = await fetch(`${hub.url}/api/v1/admin/devices/seoul-01/rotate`, { method: 'POST', headers, body: '{}' })
    expect(asked.status).toBe(202)

    // Nothing has gone wrong, so that nothing is to be seen of it.
    const mayBeEmpty = (await expressions()).filter((expression) => expression.includes('outcome!="ok"'))
    expect(mayBeEmpty).toHaveLength(1)
    const empty = async (): Promise<string[]> => {
      const found = await Promise.all((await expressions()).map(async (expression) => [expression, await query(expression)] as const))
      return found.flatMap(([expression, result]) => (result.length > 0 || mayBeEmpty.includes(expression) ? [] : [expression]))
    }
    await expect.poll(() => empty().catch(String), { timeout: 60_000, interval: 500 }).toEqual([])
  })
})
