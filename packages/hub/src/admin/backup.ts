import { createReadStream, createWriteStream } from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGunzip, createGzip } from 'node:zlib'
import { Command } from 'commander'
import type { HubConfig } from '../config.ts'
import { HubError } from '../errors.ts'
import { restoreStore, type Store } from '../store/index.ts'
import type { ReadConfig } from './commands.ts'
import { auditCommand, withStore } from './open.ts'

const INSTEAD = 'Stop it for a backup of the embedded database; a Postgres can be backed up while hubs run.'
const KEEP = 'Proxy passwords and tokens in it are encrypted: keep SECRET_KEY (or the data folder’s secret.key) with it, in another place.'

/** `mobilepool-hub admin backup`: the whole database at one moment in one file, for either kind of database. */
export const backupCommand = (config: ReadConfig): Command =>
  new Command('backup')
    .description('write the whole database to one file, which can be restored into Postgres or the embedded database')
    .argument('[file]', 'where to (mobilepool-<time>.backup.gz)')
    .option('--data-dir <folder>', 'the hub’s data folder')
    .action(async (file: string | undefined, flags: { dataDir?: string }) => {
      const target = file ?? defaultName('mobilepool', '.')
      await withStore(config(flags), INSTEAD, async (store) => {
        await writeBackup(store, target)
        await auditCommand(store, 'backup', target)
      })
      process.stdout.write(`${target}\n`)
      process.stderr.write(`${KEEP}\n`)
    })

/** `mobilepool-hub admin restore`: reads such a file into an empty database, or with --force in the place of what it holds. */
export const restoreCommand = (config: ReadConfig): Command =>
  new Command('restore')
    .description('read a backup into an empty database; stop every hub on it first')
    .argument('<file>', 'what "backup" wrote')
    .option('--force', 'replace what the database holds; it is written to a backup in the data folder first')
    .option('--data-dir <folder>', 'the hub’s data folder')
    .action(async (file: string, flags: { force?: true; dataDir?: string }) => {
      const settings = config(flags)
      const former = flags.force ? await keepFormer(settings) : null
      if (former !== null) process.stderr.write(`What the database held is in ${former}.\n`)
      const { rows, createdAt } = await restoreStore(settings, linesOf(file), flags.force === true)
      await withStore(settings, INSTEAD, (store) => auditCommand(store, 'restore', file))
      process.stdout.write(`Restored ${rows} rows of ${createdAt}.\n`)
    })

async function keepFormer(config: HubConfig): Promise<string> {
  const file = defaultName('before-restore', config.dataDir)
  await withStore(config, INSTEAD, (store) => writeBackup(store, file))
  return file
}

/** Whole or not at all, readable by its owner only; never over another file. */
async function writeBackup(store: Store, file: string): Promise<void> {
  const part = `${file}.part`
  try {
    // Taken first: a file of that name is somebody's.
    await pipeline(Readable.from([]), createWriteStream(file, { flags: 'wx', mode: 0o600 }))
  } catch (cause) {
    throw new HubError('backup_unusable', `The backup cannot be written to ${file} (${codeOf(cause)}).`, { cause })
  }
  try {
    await pipeline(Readable.from(withBreaks(store.dump())), createGzip(), createWriteStream(part, { mode: 0o600 }))
    await rename(part, file)
  } catch (error) {
    await rm(part, { force: true })
    await rm(file, { force: true })
    throw error
  }
}

async function* withBreaks(lines: AsyncIterable<string>): AsyncGenerator<string> {
  for await (const line of lines) yield `${line}\n`
}

async function* linesOf(file: string): AsyncGenerator<string> {
  const source = createReadStream(file)
  const plain = createGunzip()
  // Errors of the file reach the reader by the stream that it reads.
  source.on('error', (error) => plain.destroy(error))
  const lines = createInterface({ input: source.pipe(plain), crlfDelay: Number.POSITIVE_INFINITY })
  const failed = new Promise<never>((_resolve, reject) => plain.once('error', reject))
  failed.catch(() => {})
  const reader = lines[Symbol.asyncIterator]()
  try {
    for (;;) {
      const { value, done } = await Promise.race([reader.next(), failed])
      if (done === true) return
      yield value
    }
  } catch (cause) {
    throw new HubError('backup_unusable', `The backup ${file} cannot be read (${codeOf(cause)}).`, { cause })
  } finally {
    lines.close()
    source.destroy()
  }
}

const codeOf = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? String(error)

const defaultName = (name: string, folder: string): string =>
  join(folder, `${name}-${new Date().toISOString().slice(0, 19).replaceAll(':', '-')}.backup.gz`)
