import { randomUUID } from 'node:crypto'
import { username, userRole } from '@mobilepool/sdk/contract'
import { Command } from 'commander'
import { z } from 'zod'
import { Passwords } from '../auth/password.ts'
import { Users } from '../auth/users.ts'
import type { HubConfig } from '../config.ts'
import { type Refusal, refused } from '../errors.ts'
import type { Store } from '../store/index.ts'
import type { ReadConfig } from './commands.ts'
import { auditCommand, invalid, withStore } from './open.ts'
import { passwordFor } from './password.ts'

const INSTEAD = 'A running hub does this itself: /api/v1/users with an admin key.'

interface Flags {
  username: string
  email?: string
  role: string
  passwordStdin?: true
  dataDir?: string
}

/** `mobilepool-hub admin create-user`: makes a user; a password that was made for him is printed, alone, on stdout. */
export const createUserCommand = (config: ReadConfig): Command =>
  new Command('create-user')
    .description('make a user who can log in; without --password-stdin a password is made and printed once')
    .requiredOption('--username <name>', 'name to log in with')
    .option('--email <address>', 'e-mail address')
    .option('--role <role>', 'admin or user', 'user')
    .option('--password-stdin', 'read the password from standard input')
    .option('--data-dir <folder>', 'the hub’s data folder')
    .action(async (flags: Flags) => {
      const name = username.safeParse(flags.username)
      if (!name.success) throw invalid(`--username ${name.error.issues[0]?.message}.`)
      const role = userRole.safeParse(flags.role)
      if (!role.success) throw invalid(`--role must be admin or user, not "${flags.role}".`)
      const email = z
        .email()
        .nullable()
        .safeParse(flags.email ?? null)
      if (!email.success) throw invalid(`--email must be an e-mail address, not "${flags.email}".`)
      const { password, isMade } = await passwordFor(flags.passwordStdin === true)
      await withUsers(config(flags), async (users, store) => {
        const made = orThrow(await users.create({ username: name.data, email: email.data, password, role: role.data }))
        await auditCommand(store, 'create-user', made.id, ['username', 'role'])
      })
      if (isMade) process.stdout.write(`${password}\n`)
    })

/** `mobilepool-hub admin reset-password`: a new password; every login of the user ends. A deactivated user stays so. */
export const resetPasswordCommand = (config: ReadConfig): Command =>
  new Command('reset-password')
    .description('give a user a new password and end his logins; without --password-stdin one is made and printed once')
    .requiredOption('--username <name>', 'whose')
    .option('--password-stdin', 'read the password from standard input')
    .option('--data-dir <folder>', 'the hub’s data folder')
    .action(async (flags: Pick<Flags, 'username' | 'passwordStdin' | 'dataDir'>) => {
      const { password, isMade } = await passwordFor(flags.passwordStdin === true)
      await withUsers(config(flags), async (users, store) => {
        const user = users.findByName(flags.username)
        if (!user) throw invalid(`--username: there is no user ${flags.username}.`)
        orThrow(await users.change(user.id, { password }))
        await auditCommand(store, 'reset-password', user.id, ['password'])
      })
      if (isMade) process.stdout.write(`${password}\n`)
    })

/** `mobilepool-hub admin list-users`: a line each. */
export const listUsersCommand = (config: ReadConfig): Command =>
  new Command('list-users')
    .description('print the users: name, role, whether active, last login')
    .option('--data-dir <folder>', 'the hub’s data folder')
    .action(async (flags: Pick<Flags, 'dataDir'>) => {
      const lines = await withUsers(config(flags), async (users) =>
        users.all.map(({ username: name, role, isActive, lastLoginAt }) =>
          [name, role, isActive ? 'active' : 'inactive', lastLoginAt === null ? '-' : new Date(lastLoginAt).toISOString()].join('\t'),
        ),
      )
      for (const line of lines) process.stdout.write(`${line}\n`)
    })

function withUsers<T>(config: HubConfig, work: (users: Users, store: Store) => Promise<T>): Promise<T> {
  return withStore(config, INSTEAD, async (store) => {
    const passwords = new Passwords(config.passwordCost)
    return work(await Users.load({ store: store.users, passwords, now: Date.now, newId: randomUUID }), store)
  })
}

function orThrow<T extends object>(result: T | Refusal): T {
  if ('code' in result && 'detail' in result) throw refused(result)
  return result
}
