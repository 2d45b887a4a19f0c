import { randomBytes } from 'node:crypto'
import { chmod, mkdir, open, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { z } from 'zod'
import { AgentError } from '../errors.ts'

/**
 * The agent's folder: JSON files that only its user can read, written so that a power cut leaves the old file or the new one, never half
 * of one.
 */
export class PrivateDir {
  readonly path: string

  private constructor(path: string) {
    this.path = path
  }

  /** Makes the folder when there is none. Throws `state_dir`. */
  static async open(path: string): Promise<PrivateDir> {
    try {
      await mkdir(path, { recursive: true, mode: 0o700 })
      await chmod(path, 0o700)
    } catch (error) {
      throw unusable(path, error)
    }
    return new PrivateDir(path)
  }

  /** The content of a file; null when there is none. Throws `state_dir` when it is not what it should be. */
  async read<T>(file: string, schema: z.ZodType<T>): Promise<T | null> {
    const path = join(this.path, file)
    let text: string
    try {
      text = await readFile(path, 'utf8')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
      throw unusable(path, error)
    }
    try {
      return schema.parse(JSON.parse(text))
    } catch (error) {
      throw new AgentError('state_dir', `${path} is damaged or was written by another version: move it away and start again.`, {
        cause: error,
      })
    }
  }

  /** Deletes a file, if it is there. Throws `state_dir`. */
  async remove(file: string): Promise<void> {
    const path = join(this.path, file)
    try {
      await rm(path, { force: true })
    } catch (error) {
      throw unusable(path, error)
    }
  }

  /** Replaces a file; it is on the disk when this resolves. */
  async write(file: string, content: unknown): Promise<void> {
    const path = join(this.path, file)
    const temporary = `${path}.${randomBytes(4).toString('hex')}.tmp`
    try {
      const handle = await open(temporary, 'w', 0o600)
      try {
        await handle.writeFile(`${JSON.stringify(content, null, 2)}\n`)
        await handle.sync()
      } finally {
        await handle.close()
      }
      await rename(temporary, path)
      await syncFolder(this.path)
    } catch (error) {
      await rm(temporary, { force: true }).catch(() => {})
      throw unusable(path, error)
    }
  }
}

/** Without this a power cut could undo the rename. Not every file system lets a folder be synced; those need no help or get none. */
async function syncFolder(path: string): Promise<void> {
  const handle = await open(path, 'r').catch(() => null)
  try {
    await handle?.sync()
  } catch {
    return
  } finally {
    await handle?.close()
  }
}

const unusable = (path: string, error: unknown): AgentError =>
  new AgentError(
    'state_dir',
    `${path} cannot be used (${(error as NodeJS.ErrnoException).code ?? 'unknown error'}): give another folder with --state-dir.`,
    {
      cause: error,
    },
  )
