import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test, vi } from 'vitest'
import { runCommand } from './run-command.ts'

const folder = mkdtempSync(join(tmpdir(), 'mp-command-'))
afterAll(() => rmSync(folder, { recursive: true }))

const run = (script: string, options: { timeoutMs?: number; signal?: AbortSignal; env?: Record<string, string> } = {}) =>
  runCommand('/bin/sh', ['-c', script], { signal: new AbortController().signal, timeoutMs: 20_000, ...options })

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

/** The pid that a command wrote, as soon as it did. */
const pidIn = (file: string): Promise<number> =>
  vi.waitFor(async () => {
    const text = await readFile(file, 'utf8')
    if (!text.endsWith('\n')) throw new Error('not written yet')
    return Number(text)
  }, 10_000)

describe('a command', () => {
  test('gives what it wrote and its exit code, whatever that is', async () => {
    expect(await run('echo one; echo two; echo oops >&2; exit 3')).toEqual({
      exitCode: 3,
      stdout: 'one\ntwo\n',
      stderr: 'oops\n',
      lastLine: 'oops',
    })
  })

  test('gets its arguments as they are: no shell looks at them', async () => {
    const outcome = await runCommand('printf', ['%s|', '$HOME; echo x', "a'b"], { signal: new AbortController().signal, timeoutMs: 20_000 })
    expect(outcome.stdout).toBe("$HOME; echo x|a'b|")
  })

  test('gets the variables it is given, and none of the agent’s secrets', async () => {
    process.env.MOBILEPOOL_TOKEN = 'secret'
    try {
      expect((await run('echo "$MP_DEVICE/$MOBILEPOOL_TOKEN"', { env: { MP_DEVICE: 'seoul-01' } })).stdout).toBe('seoul-01/\n')
    } finally {
      delete process.env.MOBILEPOOL_TOKEN
    }
  })

  test('that takes too long is killed with its children', async () => {
    const file = join(folder, 'slow')
    const ended = expect(run(`sleep 1000 & echo $! > ${file}; echo working; wait`, { timeoutMs: 400 })).rejects.toMatchObject({
      code: 'device_unreachable',
      message: '/bin/sh took longer than 400 ms. It said: working',
    })
    const child = await pidIn(file)
    await ended
    await vi.waitFor(() => expect(isAlive(child)).toBe(false), 5_000)
  })

  test('is killed with its children when the call is aborted', async () => {
    const file = join(folder, 'aborted')
    const call = new AbortController()
    const ended = expect(run(`sleep 1000 & echo $! > ${file}; wait`, { signal: call.signal })).rejects.toThrow('over')
    const child = await pidIn(file)
    call.abort(new Error('over'))
    await ended
    await vi.waitFor(() => expect(isAlive(child)).toBe(false), 5_000)
  })

  test('that writes without end is killed', async () => {
    await expect(run('yes')).rejects.toMatchObject({ code: 'device_unreachable', message: expect.stringContaining('wrote more than') })
  })

  test('has ended although a process that it left behind holds its output', async () => {
    const file = join(folder, 'left')
    const outcome = await run(`setsid sleep 1000 & echo $! > ${file}; echo done`)
    process.kill(await pidIn(file))
    expect(outcome).toMatchObject({ exitCode: 0, stdout: 'done\n' })
  })

  test('that does not exist is said to be missing', async () => {
    const signal = new AbortController().signal
    await expect(runCommand('mp-no-such-program', [], { signal, timeoutMs: 1_000 })).rejects.toMatchObject({
      code: 'unsupported',
      message: 'There is no program mp-no-such-program: install it, or give its path.',
    })
  })

  test('that may not be run says so', async () => {
    const file = join(folder, 'plain')
    writeFileSync(file, 'echo', { mode: 0o644 })
    const signal = new AbortController().signal
    await expect(runCommand(file, [], { signal, timeoutMs: 1_000 })).rejects.toMatchObject({ code: 'permission_denied' })
  })
})
