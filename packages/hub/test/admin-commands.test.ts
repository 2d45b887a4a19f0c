import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, readdir, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { sharedPostgres, startHub } from './hub.ts'
import { login } from './logged-in.ts'

/** Each command is a process of its own, a second alone and many times that beside other work. */
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 })

const MAIN = fileURLToPath(new URL('../dist/main.js', import.meta.url))
const SECRET_KEY = 'a secret key of the tests'
if (!existsSync(MAIN)) throw new Error('these tests run the build: npm run build -w packages/sdk -w packages/hub')

let dir: string
let databaseUrl: string
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'mobilepool-admin-'))
  databaseUrl = await sharedPostgres().createDatabase('admin_commands')
})
afterAll(() => rm(dir, { recursive: true }))

/** Runs `mobilepool-hub admin ...` to its end. */
async function admin(args: string[], { stdin = '', url = databaseUrl }: { stdin?: string; url?: string } = {}) {
  const env = { PATH: process.env.PATH, HUB_DATA_DIR: dir, SECRET_KEY, DATABASE_URL: url, BCRYPT_COST: '10', USER: 'olga' }
  const child = spawn(process.execPath, [MAIN, 'admin', ...args], { env, cwd: dir, stdio: ['pipe', 'pipe', 'pipe'] })
  let [stdout, stderr] = ['', '']
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString()
  })
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString()
  })
  child.stdin.on('error', () => {})
  child.stdin.end(stdin)
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, stdout, stderr }
}

test('users are made, listed and given new passwords; the hub that runs meanwhile knows it', async () => {
  const made = await admin(['create-user', '--username', 'alice', '--role', 'admin'])
  expect(made).toMatchObject({ code: 0, stdout: expect.stringMatching(/^\w{20}\n$/) })
  const hub = await startHub({ databaseUrl, passwordCost: 10 })
  const first = await login(hub, 'alice', made.stdout.trim())
  expect(first.status).toBe(200)
  expect(await admin(['reset-password', '--username', 'Alice', '--password-stdin'], { stdin: 'a new one for alice\n' })).toMatchObject({
    code: 0,
    stdout: '',
  })
  await vi.waitFor(async () => expect((await hub.ask('/api/v1/auth/me', { key: first.json.access_token })).status).toBe(401), {
    timeout: 60_000,
    interval: 200,
  })
  expect((await login(hub, 'alice', 'a new one for alice', { from: '127.1.1.1' })).status).toBe(200)
  expect((await admin(['list-users'])).stdout).toMatch(/^alice\tadmin\tactive\t\d{4}-/)

  const key = (await admin(['create-key', '--scope', 'read', '--name', 'wall'])).stdout.trim()
  expect((await hub.ask('/status', { key })).status).toBe(200)
  expect((await admin(['revoke-key', '--key', key.slice(0, 11)])).code).toBe(0)
  expect((await admin(['prune'])).code).toBe(0)
  const { entries } = (await hub.ask('/api/v1/audit?action=cli', { key: 'admin' })).json
  expect(entries.map(({ action, actor }: { action: string; actor: { name: string } }) => `${actor.name}: ${action}`)).toEqual([
    'olga: cli prune',
    'olga: cli revoke-key',
    'olga: cli create-key',
    'olga: cli reset-password',
    'olga: cli create-user',
  ])
  expect(JSON.stringify(entries)).not.toContain(made.stdout.trim())
  await hub.close()
})

test.each([
  [['create-user', '--username', 'a b'], '', '--username'],
  [['create-user', '--username', 'bob', '--role', 'root'], '', '--role must be admin or user, not "root"'],
  [['create-user', '--username', 'bob', '--email', 'nowhere'], '', '--email must be'],
  [['create-user', '--username', 'bob', '--password-stdin'], 'short\n', 'must have at least 10 characters'],
  [['create-user', '--username', 'ALICE'], '', 'Another user has this name'],
  [['reset-password', '--username', 'nobody'], '', '--username: there is no user nobody'],
  [['revoke-key', '--key', 'mp_nowhere'], '', '--key: there is no key mp_nowhere'],
  [['restore', '/nowhere.gz'], '', 'cannot be read (ENOENT)'],
])('%j is refused in one sentence', async (args, stdin, part) => {
  const { code, stderr, stdout } = await admin(args, { stdin })
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
  expect(stderr).toContain(part)
  expect(stderr).not.toMatch(/\n\s+at /)
})

test('a backup is one file for its owner only; it is restored elsewhere, and over other data only with --force', async () => {
  const file = join(dir, 'all.backup.gz')
  expect(await admin(['backup', file])).toMatchObject({ code: 0, stdout: `${file}\n`, stderr: expect.stringContaining('SECRET_KEY') })
  expect((await stat(file)).mode & 0o777).toBe(0o600)
  expect(await admin(['backup', file])).toMatchObject({ code: 1, stderr: expect.stringContaining('EEXIST') })

  const url = await sharedPostgres().createDatabase('admin_restored')
  expect(await admin(['restore', file], { url })).toMatchObject({ code: 0, stdout: expect.stringMatching(/^Restored \d+ rows of 20/) })
  expect((await admin(['list-users'], { url })).stdout).toContain('alice\tadmin')
  expect(await admin(['restore', file], { url })).toMatchObject({ code: 1, stderr: expect.stringContaining('not empty') })
  expect((await admin(['create-user', '--username', 'late'], { url })).code).toBe(0)
  const forced = await admin(['restore', file, '--force'], { url })
  expect(forced).toMatchObject({ code: 0, stderr: expect.stringContaining('before-restore-') })
  expect((await admin(['list-users'], { url })).stdout).not.toContain('late')
  // What was replaced is not lost.
  const former = (await readdir(dir)).find((name) => name.startsWith('before-restore-')) ?? ''
  const again = await sharedPostgres().createDatabase('admin_former')
  expect((await admin(['restore', join(dir, former)], { url: again })).code).toBe(0)
  expect((await admin(['list-users'], { url: again })).stdout).toContain('late')

  await truncate(file, 200)
  expect(await admin(['restore', file], { url: await sharedPostgres().createDatabase('admin_cut') })).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('cannot be read'),
  })
  await writeFile(join(dir, 'text.gz'), 'no gzip at all')
  expect(await admin(['restore', join(dir, 'text.gz')], { url: await sharedPostgres().createDatabase('admin_text') })).toMatchObject({
    code: 1,
  })
})
