import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { loadIdentity } from './identity.ts'
import { PrivateDir } from './private-dir.ts'
import { lockState } from './state-lock.ts'

let path: string
beforeEach(async () => {
  path = await mkdtemp(join(tmpdir(), 'mp-agent-'))
})
afterEach(() => rm(path, { recursive: true, force: true }))

const number = z.object({ n: z.number() })

describe('the state folder', () => {
  test('and its files are for their user alone', async () => {
    await chmod(path, 0o755)
    const dir = await PrivateDir.open(path)
    await dir.write('a.json', { n: 1 })
    expect((await stat(path)).mode & 0o777).toBe(0o700)
    expect((await stat(join(path, 'a.json'))).mode & 0o777).toBe(0o600)
  })

  test('gives back what was written, and null for what was not', async () => {
    const dir = await PrivateDir.open(join(path, 'new', 'folder'))
    expect(await dir.read('a.json', number)).toBeNull()
    await dir.write('a.json', { n: 1 })
    await dir.write('a.json', { n: 2 })
    expect(await dir.read('a.json', number)).toEqual({ n: 2 })
    expect(await readdir(dir.path)).toEqual(['a.json'])
  })

  test.each([['{"n":'], ['{"n":"one"}'], ['']])('says which file is damaged (%j)', async (text) => {
    const dir = await PrivateDir.open(path)
    await writeFile(join(path, 'a.json'), text)
    await expect(dir.read('a.json', number)).rejects.toMatchObject({ code: 'state_dir', message: expect.stringContaining('a.json') })
  })

  test('that cannot be made is an error that names it', async () => {
    await writeFile(join(path, 'file'), '')
    await expect(PrivateDir.open(join(path, 'file', 'sub'))).rejects.toMatchObject({
      code: 'state_dir',
      message: expect.stringContaining('--state-dir'),
    })
  })

  test('keeps the old content when the new one cannot be written', async () => {
    const dir = await PrivateDir.open(path)
    await dir.write('a.json', { n: 1 })
    await expect(dir.write('missing/b.json', { n: 2 })).rejects.toMatchObject({ code: 'state_dir' })
    expect(await readFile(join(path, 'a.json'), 'utf8')).toContain('1')
  })

  test('of another device is refused', async () => {
    const dir = await PrivateDir.open(path)
    const deviceId = '5b2c1a52-6f7e-4f0e-9b1a-0c4a9f6a1c11'
    await dir.write('device.json', { deviceId, name: 'seoul-01', deviceKey: 'k', proxyUsername: 'u', proxyPassword: 'p' })
    expect(await loadIdentity(dir, 'seoul-01')).toMatchObject({ deviceId })
    await expect(loadIdentity(dir, 'busan-03')).rejects.toMatchObject({ code: 'bad_config', message: expect.stringContaining('seoul-01') })
  })
})

describe('the lock of a state folder', () => {
  test('is held against another agent, and free again afterwards', async () => {
    const lock = await lockState(path)
    await expect(lockState(path)).rejects.toMatchObject({ code: 'state_dir', message: expect.stringContaining(String(process.pid)) })
    await lock.release()
    await (await lockState(path)).release()
  })

  test.each([
    ['of a process that is gone', JSON.stringify({ pid: 999_999_999, started: '1' })],
    ['of a process number that another process has now', JSON.stringify({ pid: process.pid, started: '1' })],
    ['that was never finished', ''],
    ['that is damaged', '{'],
  ])('%s is taken over', async (_, text) => {
    await writeFile(join(path, 'agent.lock'), text)
    await (await lockState(path)).release()
  })
})
