import { mkdir, rm, rmdir, stat } from 'node:fs/promises'
import { connect, createServer, type Server } from 'node:net'
import { join, relative } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { HubError } from '../errors.ts'

/** `sun_path` holds 108 bytes on Linux, 104 on macOS, with the closing zero. */
const MAX_SOCKET_PATH = 103
const ANSWER_TIMEOUT_MS = 2_000
const RETRY_MS = 20
/** Replacing a dead lock takes a few ms; whoever has been at it for this long was killed meanwhile. */
const ABANDONED_MS = 10_000

/** Held while a hub uses a data folder. */
export interface DirectoryLock {
  release(): Promise<void>
}

/**
 * Takes a data folder for this process. Two PGlite processes on one folder ruin it without an error (reference/hub.md 3.1).
 *
 * The lock is a unix socket in the folder that its holder answers on: it ends with the process, whatever ends the process,
 * and no pid can be mistaken for another's. It is never taken from a holder that answers, or that is too busy to answer.
 * @throws HubError `data_dir_locked` naming the holder's process, `data_dir_unusable` when no socket can be made there.
 */
export async function lockDirectory(dir: string): Promise<DirectoryLock> {
  const path = socketPath(join(dir, 'hub.lock'))
  for (;;) {
    const server = await listen(path)
    if (server) return { release: () => close(server) }
    const holder = await ask(path)
    if (holder) throw locked(dir, holder.pid)
    if (!(await removeDead(path))) await delay(RETRY_MS)
  }
}

const locked = (dir: string, pid: number | null): HubError =>
  new HubError(
    'data_dir_locked',
    `Another hub${pid === null ? '' : ` (process ${pid})`} uses ${dir}: stop it, or give this one another folder with --data-dir.`,
  )

/** A path short enough for a socket: as given, or seen from the working directory. */
function socketPath(path: string): string {
  const short = [path, relative(process.cwd(), path)].find((candidate) => Buffer.byteLength(candidate) <= MAX_SOCKET_PATH)
  if (short === undefined)
    throw new HubError('data_dir_unusable', `The path of the data folder is too long for its lock: ${path}. Use a shorter one.`)
  return short
}

/** Listens, or null when the path is taken. */
function listen(path: string): Promise<Server | null> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => {
      socket.on('error', () => {})
      socket.end(String(process.pid))
    })
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(null)
      else
        reject(
          new HubError('data_dir_unusable', `The data folder cannot be locked: ${path}: ${error.code ?? error.message}.`, { cause: error }),
        )
    })
    // Never the reason that a process stays.
    server.listen(path, () => resolve(server.unref()))
  })
}

const close = (server: Server): Promise<void> => new Promise((resolve) => server.close(() => resolve()))

/** Who holds the lock: null when nobody listens. A holder that is too busy to say its pid is a holder. */
function ask(path: string): Promise<{ pid: number | null } | null> {
  return new Promise((resolve) => {
    let text = ''
    const socket = connect(path)
    socket.setTimeout(ANSWER_TIMEOUT_MS, () => {
      resolve({ pid: null })
      socket.destroy()
    })
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1').slice(0, 20)
    })
    socket.on('end', () => resolve({ pid: /^\d+$/.test(text) ? Number(text) : null }))
    socket.on('error', (error: NodeJS.ErrnoException) => {
      resolve(error.code === 'ECONNREFUSED' || error.code === 'ENOENT' ? null : { pid: null })
    })
  })
}

/**
 * Removes the socket of a killed hub. Of several hubs that find it, one at a time may (`mkdir` is atomic) and looks again first:
 * otherwise a slow one would remove the lock that a quick one has just taken. False when it is another's turn.
 */
async function removeDead(path: string): Promise<boolean> {
  const turn = `${path}.replacing`
  try {
    await mkdir(turn)
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EEXIST')
      throw new HubError('data_dir_unusable', `The lock of a hub that was killed cannot be removed: ${path}. Make its folder writable.`, {
        cause,
      })
    const since = await stat(turn).catch(() => null)
    if (since && Date.now() - since.mtimeMs > ABANDONED_MS) await rmdir(turn).catch(() => {})
    return false
  }
  try {
    if ((await ask(path)) === null) await rm(path, { force: true })
  } finally {
    await rmdir(turn)
  }
  return true
}
