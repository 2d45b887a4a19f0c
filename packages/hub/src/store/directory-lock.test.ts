import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type DirectoryLock, lockDirectory } from './directory-lock.ts'

let dir: string
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'mobilepool-lock-'))
})
afterEach(() => rm(dir, { recursive: true, force: true }))

/** Leaves a lock behind as a killed hub does. */
async function leaveDeadLock(): Promise<void> {
  const path = join(dir, 'hub.lock')
  const child = spawn(
    process.execPath,
    ['-e', `require('net').createServer().listen(${JSON.stringify(path)}, () => console.log('held'))`],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  )
  await once(child.stdout, 'data')
  child.kill('SIGKILL')
  await once(child, 'exit')
}

test('a free folder is locked, and free again after the release', async () => {
  await (await lockDirectory(dir)).release()
  expect(await readdir(dir)).toEqual([])
  await (await lockDirectory(dir)).release()
})

test('a held folder is refused with the process that holds it', async () => {
  const lock = await lockDirectory(dir)
  await expect(lockDirectory(dir)).rejects.toMatchObject({
    code: 'data_dir_locked',
    message: expect.stringContaining(`process ${process.pid}`),
  })
  await lock.release()
})

test('the lock of a killed hub is taken over', async () => {
  await leaveDeadLock()
  const lock = await lockDirectory(dir)
  await lock.release()
  expect(await readdir(dir)).toEqual([])
})

test('of many that find the lock of a killed hub at the same moment, exactly one gets it', async () => {
  for (let round = 0; round < 10; round++) {
    await leaveDeadLock()
    const tries = await Promise.allSettled(Array.from({ length: 8 }, () => lockDirectory(dir)))
    const won = tries.filter((result): result is PromiseFulfilledResult<DirectoryLock> => result.status === 'fulfilled')
    expect(won).toHaveLength(1)
    await Promise.all(won.map(({ value }) => value.release()))
    expect(await readdir(dir)).toEqual([])
  }
})

test('a folder whose path is too long for a socket is refused in one sentence', async () => {
  await expect(lockDirectory(join(dir, 'x'.repeat(120)))).rejects.toMatchObject({ code: 'data_dir_unusable' })
})
