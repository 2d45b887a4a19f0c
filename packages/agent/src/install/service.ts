import { existsSync, readFileSync } from 'node:fs'
import { chmod, mkdir, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { runCommand } from '../drivers/run-command.ts'
import { AgentError } from '../errors.ts'
import type { ServiceKind } from './service-files.ts'

const UNIT = 'mobilepool-agent.service'
const COMMAND_MS = 30_000

/** What decides how the agent is installed here. */
export interface Machine {
  readonly isRoot: boolean
  readonly home: string
  /** `PREFIX`, as Termux sets it. */
  readonly prefix: string | undefined
}

/** How the agent is best started on this machine. */
export function usualKind({ isRoot, prefix }: Machine): ServiceKind {
  if (prefix?.includes('com.termux')) return 'termux'
  return isRoot ? 'systemd' : 'systemd-user'
}

/** Where the file belongs. */
export const serviceFile = (kind: ServiceKind, { home }: Pick<Machine, 'home'>): string =>
  ({
    systemd: join('/etc/systemd/system', UNIT),
    'systemd-user': join(home, '.config/systemd/user', UNIT),
    termux: join(home, '.termux/boot/mobilepool-agent'),
  })[kind]

/** Writes a service's file unless it is there just so. Returns whether it had to. Throws `bad_config` when it cannot be written. */
export async function writeService(path: string, content: string, kind: ServiceKind): Promise<boolean> {
  try {
    if (existsSync(path) && readFileSync(path, 'utf8') === content) return false
    await mkdir(dirname(path), { recursive: true })
    await writeFile(path, content)
    await chmod(path, kind === 'termux' ? 0o700 : 0o644)
    return true
  } catch (error) {
    throw unwritable(path, error)
  }
}

/** Removes a service's file. Returns whether it was there. Throws `bad_config` when it cannot be removed. */
export async function removeService(path: string): Promise<boolean> {
  try {
    const isThere = existsSync(path)
    await rm(path, { force: true })
    return isThere
  } catch (error) {
    throw unwritable(path, error)
  }
}

const unwritable = (path: string, error: unknown): AgentError =>
  new AgentError('bad_config', `${path} cannot be written (${(error as NodeJS.ErrnoException).code}): run it with sudo, or see --print.`)

/** What has systemd take note: to be run after the file was written, or before and after it is removed. */
export function systemdCommands(kind: ServiceKind, action: 'start' | 'stop' | 'reload'): string[] {
  if (kind === 'termux') return []
  const systemctl = ['systemctl', ...(kind === 'systemd-user' ? ['--user'] : [])]
  const words = { start: ['enable', '--now', UNIT], stop: ['disable', '--now', UNIT], reload: ['daemon-reload'] }[action]
  return [...systemctl, ...words]
}

/** Runs one of these where systemd runs this machine. Null: done; else what the person has to do. */
export async function tellSystemd(command: readonly string[]): Promise<string | null> {
  const [file, ...args] = command
  if (file === undefined) return null
  const byHand = `then run: ${command.join(' ')}`
  if (!existsSync('/run/systemd/system')) return byHand
  const { exitCode, lastLine } = await runCommand(file, args, {
    signal: AbortSignal.timeout(COMMAND_MS),
    timeoutMs: COMMAND_MS,
    env: {},
  }).catch((error: Error) => ({ exitCode: null, lastLine: error.message }))
  return exitCode === 0 ? null : `${byHand} (${lastLine})`
}
