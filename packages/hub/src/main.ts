#!/usr/bin/env node
import { hostname } from 'node:os'
import { Command } from 'commander'
import { addAdminCommands } from './admin/commands.ts'
import { readConfig, readOptions, variables } from './config-sources.ts'
import { HubError } from './errors.ts'
import { createHub } from './hub.ts'
import { version } from './version.ts'

/** A stop that takes longer than this is ended. */
const STOP_TIMEOUT_MS = 10_000
/** npx hands on the Ctrl-C that the terminal has sent already: two signals so close together are one. */
const SAME_SIGNAL_MS = 500

type Flags = Record<'port' | 'host' | 'proxyPort' | 'dataDir' | 'logLevel' | 'tlsCert' | 'tlsKey', string | undefined>

const environment = variables.map(({ env, help }) => `  ${env.join(', ').padEnd(26)} ${help}`).join('\n')

const program = new Command('mobilepool-hub')
  .description('The service behind a MobilePool fleet: heartbeats, devices, rotations, API and page.')
  .version(version)
  .enablePositionalOptions()

for (const { flag, option, help } of variables) if (flag !== undefined) program.option(`${flag} <${option}>`, help)

program.addHelpText('after', `\nEnvironment (a flag goes before its variable):\n${environment}\n`).action((flags: Flags) => serve(flags))

const admin = program.command('admin').description('work on the database while no hub is running on it (Postgres: also while one is)')
addAdminCommands(admin, ({ dataDir }) =>
  readConfig(process.env, given({ ...program.opts<Flags>(), ...(dataDir === undefined ? {} : { dataDir }) })),
)

const given = (flags: Record<string, string | undefined>): Record<string, string> =>
  Object.fromEntries(Object.entries(flags).filter((entry): entry is [string, string] => entry[1] !== undefined))

async function serve(flags: Flags): Promise<void> {
  const { options, sources } = readOptions(process.env, given(flags))
  const hub = await createHub(options, { sources })
  const lines = [`MobilePool hub ${version}: ${hub.url}/`]
  if (hub.adminKey !== null) lines.push(`Admin key, shown this once: ${hub.adminKey}`)
  if (hub.gatewayUrl !== null) lines.push(`Gateway, with a key of scope "proxy" as the password: ${withUser(hub.gatewayUrl)}`)
  const fromElsewhere = /^(0\.0\.0\.0|::)$/.test(hub.host) ? `http://${hostname()}:${hub.port}` : hub.url
  lines.push(`A device's crontab line: * * * * * curl -fsS -m 10 "${fromElsewhere}/proxy_server?name=$(hostname)" > /dev/null`)
  process.stdout.write(`${lines.join('\n')}\n`)

  let askedAt: number | null = null
  const stop = (signal: NodeJS.Signals): void => {
    if (askedAt !== null) {
      // Whoever presses Ctrl-C twice does not want to wait.
      if (performance.now() - askedAt > SAME_SIGNAL_MS) process.exit(signal === 'SIGINT' ? 130 : 143)
      return
    }
    askedAt = performance.now()
    setTimeout(() => process.exit(1), STOP_TIMEOUT_MS).unref()
    hub.close().catch(fail)
  }
  process.on('SIGINT', stop)
  process.on('SIGTERM', stop)
}

const withUser = (url: string): string => url.replace('://', '://USER:KEY@')

/** Expected failures are one sentence, the others a bug report. */
function fail(error: unknown): void {
  process.stderr.write(
    `mobilepool-hub: ${error instanceof HubError ? error.message : error instanceof Error ? error.stack : String(error)}\n`,
  )
  process.exitCode = 1
}

program.parseAsync().catch(fail)
