import { type ChildProcess, spawn } from 'node:child_process'
import { createHmac } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { alertRuleList } from '@mobilepool/sdk/contract'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { variables } from '../src/config-sources.ts'
import { ADMIN_KEY, startHub, type TestHub } from './hub.ts'
import { type MobileBox, rotatesTo, startBox } from './mobile-box.ts'

const docs = await readFile(join(import.meta.dirname, '../../../docs/hub.md'), 'utf8')
const SECRET = 'a secret of the documentation'

/** The text under a heading, up to the next one of its rank. */
function section(heading: string): string {
  const rank = heading.split(' ')[0] ?? ''
  const [, text] = docs.split(`\n${heading}\n`)
  if (text === undefined) throw new Error(`docs/hub.md has no heading "${heading}"`)
  return text.split(new RegExp(`\n#{1,${rank.length}} `))[0] ?? ''
}
const blocks = (text: string, language: string): string[] =>
  [...text.matchAll(new RegExp(`^\`\`\`${language}\n([\\s\\S]*?)^\`\`\``, 'gm'))].map(([, block = '']) => block)
/** Cells of the rows whose first one is code. */
const rows = (text: string): string[][] =>
  [...text.matchAll(/^\| *(`.*) *\|$/gm)].map(([, line = '']) => line.split('|').map((cell) => cell.trim()))

const preamble = blocks(docs.split('\n## ')[0] ?? '', 'sh').join('\n')

let hub: TestHub
let box: MobileBox
let folder: string
const children: ChildProcess[] = []
beforeAll(async () => {
  hub = await startHub({ rotationDrainMs: 50, rotationTimeoutMs: 20_000, rotationRetryDelayMs: 100 })
  box = await startBox('127.20.7.1', rotatesTo('127.20.7.2'))
  folder = await mkdtemp(join(tmpdir(), 'mobilepool-docs-'))
})
afterAll(async () => {
  for (const child of children) child.kill()
  await hub.remove()
  await box.close()
  await rm(folder, { recursive: true, force: true })
})

/** Runs a section's commands in their order, as somebody would who copies them; returns what they print. */
async function run(text: string, env: Record<string, string> = {}): Promise<string> {
  const script = [preamble, ...blocks(text, 'sh')].join('\n')
  const all = {
    PATH: process.env.PATH,
    HUB: hub.url,
    KEY: ADMIN_KEY,
    PROXY: box.proxyUrl,
    CHANGE_IP: box.link,
    ALERT_SECRET: SECRET,
    ...env,
  }
  const bash = spawn('bash', ['-euxo', 'pipefail', '-c', script], { cwd: folder, env: all })
  let [out, err] = ['', '']
  bash.stdout.on('data', (chunk) => {
    out += String(chunk)
  })
  bash.stderr.on('data', (chunk) => {
    err += String(chunk)
  })
  const [code] = await once(bash, 'close')
  expect(code, `${err.slice(-2_000)}\n${out.slice(-1_000)}`).toBe(0)
  return out
}

test('the table of rules says what the hub does until somebody changes it', async () => {
  const { rules } = alertRuleList.parse((await hub.ask('/api/v1/alerts/rules', { key: 'admin' })).json)
  expect(rows(section('### Rules')).map(([rule, , ...settings]) => [rule, ...settings.slice(0, 4)])).toEqual(
    rules.map(({ rule, threshold, unit, minimum, window, severity }) => [
      `\`${rule}\``,
      `${threshold} ${unit}`,
      String(minimum ?? ''),
      String(window ?? ''),
      severity,
    ]),
  )
})

test('the table of settings has each with all its names, and no other', () => {
  const code = (names: readonly string[]): string => names.map((name) => `\`${name}\``).join(', ')
  expect(rows(section('## All settings')).map((cells) => cells.slice(0, 3))).toEqual(
    variables.map(({ env, flag, help }) => [code(env), flag === undefined ? '' : code([flag]), help]),
  )
})

describe('the commands', () => {
  test('of "Devices" do what is said', async () => {
    await run(section('## Devices'))
    const device = async (name: string) => (await hub.ask(`/api/v1/admin/devices/${name}`, { key: 'admin' })).json
    expect(await device('phone-07')).toMatchObject({
      status: 'online',
      operator: 'MTS',
      tags: ['farm-1'],
      requests_per_minute: 100,
      data_cap_day: 15,
      proxy_url: box.proxyUrl,
    })
    expect(await device('busan-03')).toMatchObject({ device_type: 'usb_modem', operator: 'KT' })
    const copy = await readFile(join(folder, 'copy.csv'), 'utf8')
    expect(copy.trim().split('\n')).toHaveLength(5)
    expect(copy).not.toContain('pr0xy-passw0rd')
    expect(await readFile(join(folder, 'copy.txt'), 'utf8')).toContain('http://u:p@10.0.0.5:8080')
  })

  test('of "Rotations" do what is said', async () => {
    const out = await run(section('## Rotations'))
    expect(out).toMatch(/"state": "changed",\s+"old_ip": "127.20.7.1",\s+"new_ip": "127.20.7.2",\s+"ip_seen_before": null/)
    expect(out).toContain('Nothing was done. To rotate phone-07')
    expect(box.calls).toHaveLength(1)
  })

  test('of "Alerts" do what is said, and the hub’s test reaches the receiver in Node', async () => {
    const node = await receiver('js', process.execPath, 'receiver.mjs')
    await run(section('## Alerts'), { HOOK: node.url })
    await node.says(/^test /)
    const { json } = await hub.ask('/api/v1/alerts/rules', { key: 'admin' })
    expect(json.quiet_hours).toMatchObject({ from: '23:00', to: '07:00', time_zone: 'Europe/Moscow' })
    expect(json.rules).toContainEqual(expect.objectContaining({ rule: 'success_rate', threshold: 90, minimum: 50 }))
    expect(json.rules).toContainEqual(expect.objectContaining({ rule: 'low_battery', quiet_hours: 'hold' }))
    const { channels } = (await hub.ask('/api/v1/alerts/channels', { key: 'admin' })).json
    expect(channels.map(({ kind }: { kind: string }) => kind)).toEqual(['telegram', 'slack', 'email', 'webhook'])
  })
})

/** A receiver of the documentation, running. */
async function receiver(language: string, command: string, file: string) {
  const [code = ''] = blocks(section("### A webhook's receiver"), language)
  await writeFile(join(folder, file), code)
  const child = spawn(command, [join(folder, file)], {
    env: { PATH: process.env.PATH, HOME: process.env.HOME, PORT: '0', ALERT_SECRET: SECRET },
  })
  children.push(child)
  const lines: string[] = []
  let told: () => void = () => {}
  createInterface(child.stdout).on('line', (line) => {
    lines.push(line)
    told()
  })
  const says = async (pattern: RegExp): Promise<string> => {
    for (;;) {
      const found = lines.find((line) => pattern.test(line))
      if (found !== undefined) return found
      await new Promise<void>((resolve) => {
        told = resolve
      })
    }
  }
  const [, port] = (await says(/^listening on \d+$/)).split('listening on ')
  return { url: `http://127.0.0.1:${port}/`, lines, says }
}

describe.each([
  ['js', process.execPath, 'receiver.mjs'],
  ['python', 'python3', 'receiver.py'],
])('the receiver in %s', (language, command, file) => {
  test('takes what the hub sends, and nothing that is forged, changed or old', async () => {
    const { url, says, lines } = await receiver(language, command, file)
    const name = `a channel to ${language}`
    const body = { kind: 'webhook', name, url, secret: SECRET }
    expect((await hub.ask('/api/v1/alerts/channels', { method: 'POST', key: 'admin', body })).status).toBe(201)
    expect((await hub.ask('/api/v1/alerts/test', { method: 'POST', key: 'admin', body: { channel: name } })).json).toMatchObject({
      ok: true,
      answer: '204',
    })
    await says(/^test /)

    const notices = JSON.stringify({ notices: [{ id: 'x', notice: 'firing', alert: { severity: 'critical', title: 'forged' } }] })
    const now = Math.floor(Date.now() / 1_000)
    const sign = (timestamp: number, text: string, secret = SECRET): string =>
      `v1=${createHmac('sha256', secret).update(`${timestamp}.${text}`).digest('hex')}`
    const post = async (timestamp: number, signature: string): Promise<number> => {
      const headers = { 'mobilepool-timestamp': String(timestamp), 'mobilepool-signature': signature }
      return (await fetch(url, { method: 'POST', headers, body: notices })).status
    }
    expect(await post(now, sign(now, notices, 'another secret'))).toBe(401)
    expect(await post(now, sign(now, `${notices} `))).toBe(401)
    expect(await post(now - 400, sign(now - 400, notices))).toBe(401)
    expect(await post(now, 'v1=')).toBe(401)
    expect(lines.join()).not.toContain('forged')
    expect(await post(now, sign(now, notices))).toBe(204)
    await says(/^firing critical forged$/)
  })
})
