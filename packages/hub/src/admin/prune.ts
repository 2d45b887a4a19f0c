import { Command } from 'commander'
import { AddressBlocks } from '../auth/address-blocks.ts'
import { pruneAccounts } from '../auth/prune.ts'
import { pruneIpHistory } from '../fleet/prune-ip-history.ts'
import { pruneUsage } from '../stats/prune-usage.ts'
import type { ReadConfig } from './commands.ts'
import { auditCommand, withStore } from './open.ts'

/** `mobilepool-hub admin prune`: deletes now what a running hub deletes once an hour. */
export const pruneCommand = (config: ReadConfig): Command =>
  new Command('prune')
    .description('delete what is past its time: request logs, statistics, former addresses, the end of the audit log, logins that are over')
    .option('--data-dir <folder>', 'the hub’s data folder')
    .action(async (flags: { dataDir?: string }) => {
      const settings = config(flags)
      await withStore(settings, 'A running hub does this itself, once an hour.', async (store) => {
        const now = Date.now()
        await pruneUsage(store, settings, now)
        await store.quarantines.prune(now)
        await pruneIpHistory(store, settings, now)
        const none = () => ({ after: 0, firstMs: 0 })
        const blocks = await AddressBlocks.load({ store: store.blocks, trustProxy: [], settings: none, now: () => now })
        await pruneAccounts({ ...store, blocks, auditRetentionDays: settings.auditRetentionDays, now })
        await auditCommand(store, 'prune', null)
      })
    })
