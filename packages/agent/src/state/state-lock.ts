import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { AgentError } from '../errors.ts'

/** A process by its number and by when it started: numbers are used again. */
const holder = z.object({ pid: z.int().positive(), started: z.string().nullable() })

/** Held while an agent uses a state folder. */
export interface StateLock {
  release(): Promise<void>
}

/**
 * Takes a state folder for this process: two agents on one folder would rotate one device against each other. A lock whose process is
 * gone is replaced. Throws `state_dir` naming the process that holds it.
 */
export async function lockState(dir: string): Promise<StateLock> {
  const path = join(dir, 'agent.lock')
  const own = JSON.stringify({ pid: process.pid, started: await startOf(process.pid) })
  for (let tries = 0; tries < 3; tries += 1) {
    try {
      await writeFile(path, own, { flag: 'wx', mode: 0o600 })
      return { release: () => rm(path, { force: true }) }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') {
        throw new AgentError('state_dir', `${path} cannot be written: give another folder with --state-dir.`, { cause: error })
      }
    }
    const pid = await livingHolder(path)
    if (pid !== null)
      throw new AgentError(
        'state_dir',
        `Another agent (process ${pid}) uses ${dir}: stop it, or give this one another folder with --state-dir.`,
      )
    await rm(path, { force: true })
  }
  throw new AgentError('state_dir', `${path} is taken and dropped by others again and again: start one agent per folder.`)
}

async function livingHolder(path: string): Promise<number | null> {
  const text = await readFile(path, 'utf8').catch(() => '')
  const parsed = holder.safeParse(parse(text))
  if (!parsed.success) return null
  const { pid, started } = parsed.data
  try {
    process.kill(pid, 0)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return null
  }
  return (await startOf(pid)) === started ? pid : null
}

/** When a process started, in the kernel's ticks; null where there is no /proc. */
async function startOf(pid: number): Promise<string | null> {
  const stat = await readFile(`/proc/${pid}/stat`, 'latin1').catch(() => '')
  // The name in parentheses can hold anything; the start is the 20th field behind it (proc(5), field 22).
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? null
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
