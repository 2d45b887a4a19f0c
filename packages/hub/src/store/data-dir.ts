import { randomBytes } from 'node:crypto'
import { access, constants, link, mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { HubError } from '../errors.ts'

/**
 * Makes sure that the data folder is there and can be written.
 * @throws HubError `data_dir_unusable`
 */
export async function prepareDataDir(dir: string): Promise<void> {
  try {
    await makeFolder(resolve(dir))
    await access(dir, constants.W_OK | constants.X_OK)
  } catch (cause) {
    throw unusable(dir, cause)
  }
}

/** Makes a folder and those above it. Node's own recursive mkdir never ends where a parent exists but takes no folders, as `/proc` does. */
async function makeFolder(dir: string): Promise<void> {
  try {
    await mkdir(dir, { mode: 0o700 })
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EEXIST' && (await stat(dir)).isDirectory()) return
    const isParentThere = await stat(dirname(dir)).then(
      () => true,
      () => false,
    )
    if (code !== 'ENOENT' || isParentThere) throw error
    await makeFolder(dirname(dir))
    await mkdir(dir, { mode: 0o700 })
  }
}

/**
 * The operator's secret, or the one in the data folder's `secret.key`, made on the first start, readable by its owner only.
 * @throws HubError `data_dir_unusable`
 */
export async function secretFor(dir: string, given: string | null): Promise<string> {
  if (given !== null) return given
  const file = join(dir, 'secret.key')
  // Linked into place whole: a crash in between, or another hub that starts, never leaves half a key.
  const draft = `${file}.${randomBytes(6).toString('hex')}`
  try {
    await writeFile(draft, `${randomBytes(32).toString('base64url')}\n`, { flag: 'wx', mode: 0o600 })
    await link(draft, file)
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') throw unusable(dir, cause)
  } finally {
    await rm(draft, { force: true })
  }
  const secret = (await readFile(file, 'utf8').catch((cause: unknown) => Promise.reject(unusable(dir, cause)))).trim()
  if (secret.length < 16) throw new HubError('data_dir_unusable', `${file} holds no secret key: put the old one back, or set SECRET_KEY.`)
  return secret
}

/**
 * Another secret for a data folder that keeps its own, in two steps: a crash between the change of the database and the second leaves the
 * new one in `secret.key.next`. Both throw HubError `data_dir_unusable`.
 */
export const keepSecret = {
  async prepare(dir: string, secret: string): Promise<void> {
    try {
      await writeFile(join(dir, 'secret.key.next'), `${secret}\n`, { mode: 0o600, flush: true })
    } catch (cause) {
      throw unusable(dir, cause)
    }
  },
  async finish(dir: string): Promise<void> {
    try {
      await rename(join(dir, 'secret.key.next'), join(dir, 'secret.key'))
    } catch (cause) {
      throw unusable(dir, cause)
    }
  },
}

const unusable = (dir: string, cause: unknown): HubError =>
  new HubError(
    'data_dir_unusable',
    `The data folder ${dir} cannot be used (${(cause as NodeJS.ErrnoException).code ?? 'error'}): make it writable, or give another with --data-dir.`,
    { cause },
  )
