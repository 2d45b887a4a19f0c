import { spawn } from 'node:child_process'
import { AgentError } from '../errors.ts'

/** A command that says more than this says nothing that a driver reads. */
const MAX_OUTPUT_BYTES = 256 * 1024
/** What an ended command has left in its pipes is read within this; a process of its own that it left behind may hold them for ever. */
const PIPE_GRACE_MS = 500
const MAX_LINE = 200

/** What of this process's environment commands get: enough to find programs, and none of the agent's secrets. */
const handedOn = ['PATH', 'HOME', 'USER', 'TMPDIR', 'XDG_RUNTIME_DIR', 'ANDROID_ADB_SERVER_PORT', 'DBUS_SYSTEM_BUS_ADDRESS'] as const

export interface RunOptions {
  /** Ends the command and its children when it aborts; the promise then rejects with its reason. */
  readonly signal: AbortSignal
  /** How long it may take, in ms. */
  readonly timeoutMs: number
  /** Added to the few variables that are handed on. */
  readonly env?: Readonly<Record<string, string>>
}

/** How a command ended by itself. */
export interface CommandOutcome {
  /** Null: a signal ended it. */
  readonly exitCode: number | null
  readonly stdout: string
  readonly stderr: string
  /** The last line that it wrote, of stderr before stdout, for messages. */
  readonly lastLine: string
}

/**
 * Runs a program without a shell, in a process group of its own and with nothing on stdin. Any exit code is an outcome. Throws
 * `unsupported` when there is no such program, `permission_denied` when it may not be run, and `device_unreachable` when it took too long
 * or wrote too much; it and its children are killed then.
 */
export function runCommand(file: string, args: readonly string[], options: RunOptions): Promise<CommandOutcome> {
  const { signal, timeoutMs } = options
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason)
    const child = spawn(file, args, { detached: true, stdio: ['ignore', 'pipe', 'pipe'], env: { ...environment(), ...options.env } })
    const out: Buffer[] = []
    const err: Buffer[] = []
    let bytes = 0
    let grace: NodeJS.Timeout | undefined

    const settle = (end: () => void): void => {
      clearTimeout(timer)
      clearTimeout(grace)
      signal.removeEventListener('abort', onAbort)
      child.stdout.destroy()
      child.stderr.destroy()
      end()
    }
    const giveUp = (why: unknown): void => {
      killGroup(child.pid)
      settle(() => reject(why))
    }
    const onAbort = (): void => giveUp(signal.reason)
    const timer = setTimeout(
      () => giveUp(new AgentError('device_unreachable', `${file} took longer than ${timeoutMs} ms.${said(out, err)}`)),
      timeoutMs,
    )
    const keep = (chunks: Buffer[]) => (chunk: Buffer) => {
      bytes += chunk.length
      if (bytes > MAX_OUTPUT_BYTES) giveUp(new AgentError('device_unreachable', `${file} wrote more than ${MAX_OUTPUT_BYTES} bytes.`))
      else chunks.push(chunk)
    }
    const finish = (): void =>
      settle(() => resolve({ exitCode: child.exitCode, stdout: textOf(out), stderr: textOf(err), lastLine: lastLine(out, err) }))

    signal.addEventListener('abort', onAbort, { once: true })
    child.stdout.on('data', keep(out))
    child.stderr.on('data', keep(err))
    child.once('error', (error: NodeJS.ErrnoException) => settle(() => reject(notRun(file, error))))
    child.once('exit', () => {
      grace = setTimeout(finish, PIPE_GRACE_MS)
    })
    child.once('close', finish)
  })
}

const environment = (): Record<string, string> => {
  const entries = handedOn.map((name) => [name, process.env[name]] as const)
  // Programs are read by their English messages.
  return {
    LC_ALL: 'C',
    ...Object.fromEntries(entries.filter((entry): entry is [(typeof handedOn)[number], string] => entry[1] !== undefined)),
  }
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // It has ended in the meantime.
    return
  }
}

const textOf = (chunks: readonly Buffer[]): string => Buffer.concat(chunks).toString('utf8')

const lastLine = (out: readonly Buffer[], err: readonly Buffer[]): string => {
  const lines = (chunks: readonly Buffer[]): string[] => textOf(chunks).trim().split('\n')
  return (lines(err).at(-1) || lines(out).at(-1) || '').trim().slice(0, MAX_LINE)
}

const said = (out: readonly Buffer[], err: readonly Buffer[]): string => {
  const line = lastLine(out, err)
  return line === '' ? '' : ` It said: ${line}`
}

function notRun(file: string, error: NodeJS.ErrnoException): AgentError {
  if (error.code === 'ENOENT')
    return new AgentError('unsupported', `There is no program ${file}: install it, or give its path.`, { cause: error })
  if (error.code === 'EACCES') return new AgentError('permission_denied', `${file} may not be run by this user.`, { cause: error })
  return new AgentError('device_unreachable', `${file} cannot be run (${error.code ?? 'unknown error'}).`, { cause: error })
}
