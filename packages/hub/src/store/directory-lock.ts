import { randomUUID } from 'node:crypto'
import { rename, rm } from 'node:fs/promises'
import { connect, createServer, type Server } from 'node:net'
import { join, relative } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { HubError } from '../errors.ts'

/** `sun_path` holds 108 bytes on Linux, 104 on macOS, with the closing zero; nine are for the suffix of a dead lock moved aside. */
const MAX_SOCKET_PATH = 103 - 9
const ANSWER_TIMEOUT_MS = 2_000
/** Long enough that a hub starting at the same moment has taken its own step. */
const SETTLE_MS = 50
const TRIES = 5

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
  const nonce = randomUUID()
  for (let attempt = 0; attempt < TRIES; attempt++) {
    const server = await listen(path, nonce)
    if (server) {
      await delay(SETTLE_MS)
      if ((await ask(path))?.nonce === nonce) return { release: () => close(server) }
      // Somebody who saw the same dead lock moved ours aside: the lock in place now is his.
      await close(server)
      continue
    }
    const holder = await ask(path)
    if (holder) throw locked(dir, holder.pid)
    await removeDead(path, `${path}.${nonce.slice(0, 8)}`, dir)
  }
  throw locked(dir, null)
}

const locked = (dir: string, pid: number | null): HubError =>
  new HubError(
    'data_dir_locked',
    `Another hub${pid === null ? '' : ` (process ${pid})`} uses ${dir}: stop it, or give this one another folder with --data-dir.`,
  )

/** A path short enough for a socket: as given, or seen from the working directory. */
function socketPath(path: string): string {
  const short = [path, relative(process.cwd(), path)].find((candidate) => Buffer.byteLength(candidate) <= MAX_SOCKET_PATH)
  if (short === undefined) throw new HubError('data_dir_unusable', `The path of the data folder is too long for its lock: ${path}. Use a shorter one.`)
  return short
}

/** Listens, or null when the path is taken. */
function listen(path: string, nonce: string): Promise<Server | null> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => {
      socket.on('error', () => {})
      socket.end(JSON.stringify({ pid: process.pid, nonce }))
    })
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(null)
      else reject(new HubError('data_dir_unusable', `The data folder cannot be locked: ${path}: ${error.code ?? error.message}.`, { cause: error }))
    })
    // Never the reason that a process stays.
    server.listen(path, () => resolve(server.unref()))
  })
}

const close = (server: Server): Promise<void> => new Promise((resolve) => server.close(() => resolve()))

/** Who holds the lock: null when nobody listens. A holder that is too busy to answer is a holder. */
function ask(path: string): Promise<{ pid: number | null; nonce: string | null } | null> {
  return new Promise((resolve) => {
    let text = ''
    const busy = { pid: null, nonce: null }
    const socket = connect(path)
    socket.setTimeout(ANSWER_TIMEOUT_MS, () => {
      resolve(busy)
      socket.destroy()
    })
    socket.on('data', (chunk) => {
      text += chunk.toString('utf8').slice(0, 200)
    })
    socket.on('end', () => {
      try {
        resolve(JSON.parse(text) as { pid: number; nonce: string })
      } catch {
        resolve(busy)
      }
    })
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'ECONNREFUSED' || error.code === 'ENOENT' ? null : busy))
  })
}

/** Moves a dead lock aside (one of several that try gets it), and back if it was a living one after all. */
async function removeDead(path: string, aside: string, dir: string): Promise<void> {
  try {
    await rename(path, aside)
  } catch {
    return // Another process was first; try again.
  }
  const holder = await ask(aside)
  if (holder) {
    await rename(aside, path)
    throw locked(dir, holder.pid)
  }
  await rm(aside, { force: true })
}
