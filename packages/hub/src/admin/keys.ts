import { randomUUID } from 'node:crypto'
import { keyScope, label } from '@mobilepool/sdk/contract'
import { Command } from 'commander'
import { keyRecord, newSecret } from '../auth/key.ts'
import type { HubConfig } from '../config.ts'
import type { Store } from '../store/index.ts'
import type { ReadConfig } from './commands.ts'
import { auditCommand, invalid, withStore } from './open.ts'

const INSTEAD = 'A running hub makes keys itself: POST /api/v1/keys with an admin key.'

interface Flags {
  scope: string
  name: string
  device?: string
  dataDir?: string
}

/** `mobilepool-hub admin create-key`: writes a key to the hub's database and prints it, alone, on stdout. */
export const createKeyCommand = (config: ReadConfig): Command =>
  new Command('create-key')
    .description('make an API key and print it; it is not shown again')
    .requiredOption('--scope <scope>', 'admin (everything), proxy (for parsers), read (states and figures) or device (one device’s agent)')
    .requiredOption('--name <name>', 'for people: whose key it is')
    .option('--device <id or name>', 'the device that a key of scope "device" speaks for')
    .option('--data-dir <folder>', 'the hub’s data folder')
    .action(async (flags: Flags) => {
      process.stdout.write(`${await createKey(config(flags), flags)}\n`)
    })

/** `mobilepool-hub admin revoke-key`: ends a key, by its id or the characters that lists show of it. */
export const revokeKeyCommand = (config: ReadConfig): Command =>
  new Command('revoke-key')
    .description('end an API key; hubs on Postgres take no more of it within seconds')
    .requiredOption('--key <id or prefix>', 'its id, or its first characters as the list shows them (mp_...)')
    .option('--data-dir <folder>', 'the hub’s data folder')
    .action(async (flags: { key: string; dataDir?: string }) => {
      await withStore(config(flags), 'A running hub revokes keys itself: DELETE /api/v1/keys/{id} with an admin key.', async (store) => {
        const found = (await store.keys.all()).filter(({ id, prefix }) => id === flags.key || prefix === flags.key)
        const [key] = found
        if (!key) throw invalid(`--key: there is no key ${flags.key}.`)
        if (found.length > 1) throw invalid(`--key: ${found.length} keys begin with ${flags.key}: give the id.`)
        await store.keys.revoke(key.id, Date.now())
        await auditCommand(store, 'revoke-key', key.id)
      })
    })

/** Makes a key. @throws HubError `config_invalid` that names the flag, or with a `StartCode` */
async function createKey(config: HubConfig, flags: Flags): Promise<string> {
  const scope = keyScope.safeParse(flags.scope)
  if (!scope.success) throw invalid(`--scope must be admin, proxy, read or device, not "${flags.scope}".`)
  const name = label.safeParse(flags.name)
  if (!name.success) throw invalid('--name must be 1 to 100 printable characters.')
  if ((scope.data === 'device') !== (flags.device !== undefined)) throw invalid('--device goes with --scope device, and only with it.')
  return withStore(config, INSTEAD, async (store) => {
    const secret = newSecret('mp_', config.apiKeyLength)
    const deviceId = flags.device === undefined ? null : await findDevice(store, flags.device)
    const key = keyRecord(secret, { id: randomUUID(), name: name.data, scope: scope.data, deviceId, createdAt: Date.now() })
    await store.keys.add(key)
    await auditCommand(store, 'create-key', key.id, ['name', 'scope'])
    return secret
  })
}

async function findDevice(store: Store, ref: string): Promise<string> {
  const device = (await store.devices.all()).find(({ id, name }) => id === ref || name === ref)
  if (!device) throw invalid(`--device: there is no device ${ref}.`)
  return device.id
}
