import type { Command } from 'commander'
import type { HubConfig } from '../config.ts'
import { backupCommand, restoreCommand } from './backup.ts'
import { createKeyCommand, revokeKeyCommand } from './keys.ts'
import { pruneCommand } from './prune.ts'
import { rotateSecretCommand } from './secret.ts'
import { createUserCommand, listUsersCommand, resetPasswordCommand } from './users.ts'

/** The configuration, with the flags of one command. */
export type ReadConfig = (flags: { dataDir?: string | undefined }) => HubConfig

/** Adds every command that works on the hub's database. */
export function addAdminCommands(admin: Command, config: ReadConfig): void {
  const commands = [
    createUserCommand,
    resetPasswordCommand,
    listUsersCommand,
    createKeyCommand,
    revokeKeyCommand,
    backupCommand,
    restoreCommand,
    rotateSecretCommand,
    pruneCommand,
  ]
  for (const command of commands) admin.addCommand(command(config))
}
