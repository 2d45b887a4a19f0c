import { existsSync } from 'node:fs'
import { homedir, userInfo } from 'node:os'
import { resolve } from 'node:path'
import type { Command } from 'commander'
import type { Flags } from '../config-sources.ts'
import { AgentError } from '../errors.ts'
import { removeService, serviceFile, systemdCommands, tellSystemd, usualKind, writeService } from '../install/service.ts'
import { type ServiceKind, systemdUnit, termuxScript } from '../install/service-files.ts'
import { checkedConfigs, gathered } from './config-options.ts'

const kinds: readonly ServiceKind[] = ['systemd', 'systemd-user', 'termux']

/** `mobilepool-agent install` and `uninstall`. */
export function addInstallCommands(program: Command): void {
  const options = (command: Command): Command =>
    command
      .option('--kind <kind>', `how it is started: ${kinds.join(', ')} (default: what fits this machine and user)`)
      .option('--file <path>', 'write to, or remove, this file instead of the usual one, and start or stop nothing')
  options(program.command('install').description('have the agent started with the machine: a systemd unit, or a script for Termux:Boot'))
    .option('--config <file>', 'the configuration that is run (default ~/.mobilepool/agent.json; env MOBILEPOOL_CONFIG)')
    .option('--user <name>', 'the user that it runs as, for a systemd unit of the system (default: who installs it)')
    .option('--print', 'show what would be written where, and do nothing')
    .action(install)
  options(program.command('uninstall').description('stop the agent and have it no longer started; its keys and results stay')).action(
    uninstall,
  )
}

function target(flags: Flags): { kind: ServiceKind; path: string; isUsual: boolean } {
  const machine = { isRoot: process.getuid?.() === 0, home: homedir(), prefix: process.env.PREFIX }
  const kind = flags.kind === undefined ? usualKind(machine) : kinds.find((one) => one === flags.kind)
  if (!kind) throw new AgentError('bad_config', `--kind: must be one of: ${kinds.join(', ')}`)
  const isUsual = typeof flags.file !== 'string'
  return { kind, path: isUsual ? serviceFile(kind, machine) : resolve(String(flags.file)), isUsual }
}

async function install(flags: Flags): Promise<void> {
  const { kind, path, isUsual } = target(flags)
  const { config } = flags
  const from = gathered({ config })
  if (!existsSync(from.path)) throw new AgentError('bad_config', `There is no ${from.path}: enroll the device first, or give --config.`)
  checkedConfigs(from)
  const program = resolve(process.argv[1] ?? '')
  const spec = { node: process.execPath, program, config: from.path, home: homedir() }
  const user = typeof flags.user === 'string' ? flags.user : userInfo().username
  const content = kind === 'termux' ? termuxScript(spec) : systemdUnit(kind, spec, user)
  if (flags.print === true) {
    console.log(`# ${path}\n${content}`)
    return
  }
  if (program.includes('/_npx/'))
    throw new AgentError(
      'bad_config',
      'npx keeps the agent in a cache that is emptied: npm install --global @mobilepool/agent, then mobilepool-agent install.',
    )
  const isNew = await writeService(path, content, kind)
  console.log(`${path} ${isNew ? 'is written' : 'is there already, just so'}`)
  if (!isUsual) return
  if (kind === 'termux') return console.log('It runs when the phone is started: install the app Termux:Boot and open it once.')
  for (const action of ['reload', 'start'] as const) {
    const left = await tellSystemd(systemdCommands(kind, action))
    if (left !== null) console.log(left)
  }
  if (kind === 'systemd-user') console.log('It runs while you are logged in; to have it run always: loginctl enable-linger')
}

async function uninstall(flags: Flags): Promise<void> {
  const { kind, path, isUsual } = target(flags)
  const isTold = isUsual && existsSync(path)
  const left = isTold ? [await tellSystemd(systemdCommands(kind, 'stop'))] : []
  const wasThere = await removeService(path)
  if (isTold) left.push(await tellSystemd(systemdCommands(kind, 'reload')))
  console.log(`${path} ${wasThere ? 'is removed' : 'was not there'}`)
  for (const line of left) if (line !== null) console.log(line)
}
