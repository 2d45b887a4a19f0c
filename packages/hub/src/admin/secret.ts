import { readFile } from 'node:fs/promises'
import { Command } from 'commander'
import { HubError } from '../errors.ts'
import { keepSecret, resealStore } from '../store/index.ts'
import type { ReadConfig } from './commands.ts'
import { auditCommand, invalid, withStore } from './open.ts'

const INSTEAD = 'Stop it: nothing may be written with the former secret meanwhile.'

/** `mobilepool-hub admin rotate-secret`: another SECRET_KEY for a database, with all that is encrypted in it. */
export const rotateSecretCommand = (config: ReadConfig): Command =>
  new Command('rotate-secret')
    .description('encrypt the secrets of the database with a new SECRET_KEY; stop every hub on it first')
    // From a file that is there before anything is done: a secret that was only printed could be lost with the terminal.
    .requiredOption('--to <file>', 'holds the new secret; e.g. from: (umask 077; openssl rand -hex 32 > new.key)')
    .option('--data-dir <folder>', 'the hub’s data folder')
    .action(async ({ to, ...flags }: { to: string; dataDir?: string }) => {
      const settings = config(flags)
      const secret = await readSecret(to)
      if (secret === settings.secretKey) throw invalid(`--to ${to}: holds the secret that is used already`)
      // Migrated, and noted by whoever may look at it later, before the first value is changed.
      await withStore(settings, INSTEAD, (store) => auditCommand(store, 'rotate-secret', null))
      if (settings.secretKey === null) await keepSecret.prepare(settings.dataDir, secret)
      const count = await resealStore(settings, secret, Date.now())
      if (settings.secretKey === null) await keepSecret.finish(settings.dataDir)
      process.stdout.write(`${count} values are encrypted anew.\n`)
      process.stderr.write(
        settings.secretKey === null
          ? `The data folder’s secret.key is the new one. Keep a copy of ${to} elsewhere.\n`
          : `Start every hub with SECRET_KEY as ${to} has it. Backups made before need the former one.\n`,
      )
    })

async function readSecret(file: string): Promise<string> {
  const text = await readFile(file, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    throw new HubError('config_invalid', `--to ${file}: cannot be read (${cause.code}).`, { cause })
  })
  const secret = text.trim()
  if (secret.length < 16 || secret.length > 1024 || /\s/.test(secret))
    throw invalid(`--to ${file}: must hold one line of 16 to 1024 characters without spaces`)
  return secret
}
