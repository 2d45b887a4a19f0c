import { randomUUID } from 'node:crypto'
import { keyScope, label } from '@mobilepool/sdk/contract'
import { Command } from 'commander'
import { keyRecord, newSecret } from './auth/key.ts'
import type { HubConfig } from './config.ts'
import { HubError } from './errors.ts'
import { openStore, type Store } from './store/index.ts'

interface Flags {
  scope: string
  name: string
  device?: string
  dataDir?: string
}

/** `mobilepool-hub admin create-key`: writes a key to the hub's database and prints it, alone, on stdout. */
export function createKeyCommand(config: (flags: { dataDir?: string | undefined }) => HubConfig): Command {
  return new Command('create-key')
    .description('make an API key and print it; it is not shown again')
    .requiredOption(
      '--scope <scope>',
      'admin (everything), proxy (for parsers), read (states and figures) or device (for one device, with --device)',
    )
    .requiredOption('--name <name>', 'for people: whose key it is')
    .option('--device <id or name>', 'the device that a key of scope "device" speaks for')
    .option('--data-dir <folder>', 'the hub’s data folder')
    .action(async (flags: Flags) => {
      process.stdout.write(`${await createKey(config({ dataDir: flags.dataDir }), flags)}\n`)
    })
}

/** Makes a key. @throws HubError `config_invalid` that names the flag, or with a `StartCode` */
async function createKey(config: HubConfig, flags: Flags): Promise<string> {
  const scope = keyScope.safeParse(flags.scope)
  if (!scope.success) throw invalid(`--scope must be admin, proxy, read or device, not "${flags.scope}".`)
  const name = label.safeParse(flags.name)
  if (!name.success) throw invalid('--name must be 1 to 100 printable characters.')
  if ((scope.data === 'device') !== (flags.device !== undefined)) throw invalid('--device goes with --scope device, and only with it.')

  const store = await openStore(config).catch((error: unknown) => {
    if (error instanceof HubError && error.code === 'data_dir_locked')
      throw new HubError('data_dir_locked', `${error.message} A running hub makes keys itself: POST /api/v1/keys with an admin key.`, {
        cause: error,
      })
    throw error
  })
  try {
    const secret = newSecret('mp_', config.apiKeyLength)
    const deviceId = flags.device === undefined ? null : await findDevice(store, flags.device)
    await store.keys.add(keyRecord(secret, { id: randomUUID(), name: name.data, scope: scope.data, deviceId, createdAt: Date.now() }))
    return secret
  } finally {
    await store.close()
  }
}

async function findDevice(store: Store, ref: string): Promise<string> {
  const device = (await store.devices.all()).find(({ id, name }) => id === ref || name === ref)
  if (!device) throw invalid(`--device: there is no device ${ref}.`)
  return device.id
}

const invalid = (message: string): HubError => new HubError('config_invalid', message)
