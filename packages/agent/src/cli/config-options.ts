import type { Command } from 'commander'
import { type AgentConfig, parseConfig, placeOf } from '../config.ts'
import { type Flags, type Gathered, gatherConfig } from '../config-sources.ts'
import { driverKinds } from '../drivers/create-driver.ts'
import { AgentError } from '../errors.ts'

/** Flags of a command that are not the configuration's. */
const ownFlags = ['json', 'method', 'deadline', 'holds', 'rounds', 'yes', 'print', 'kind', 'user', 'file']

/** Adds the flags by which every command finds its devices. */
export const addPlaceOptions = (command: Command): Command =>
  command
    .option('--config <file>', 'JSON file with the options, in camelCase (default ~/.mobilepool/agent.json; env MOBILEPOOL_CONFIG)')
    .option('--name <name>', 'name of the device, e.g. seoul-01; picks one where the file has several')
    .option('--state-dir <folder>', 'folder for the device key and for results not acknowledged yet (default ~/.mobilepool/NAME)')

/** Adds the flags that say what a device is. */
export const addConfigOptions = (command: Command): Command =>
  addPlaceOptions(command)
    .option('--hub <url>', 'URL of the hub, e.g. http://127.0.0.1:3001 (env MOBILEPOOL_HUB_URL)')
    .option('--token <token>', 'one-time token, needed on the first start only (env MOBILEPOOL_TOKEN)')
    .option('--driver <kind>', `how the device is controlled: ${driverKinds.join(', ')}`)
    .option('--driver-options <json>', 'options of the driver, as a JSON object')
    .option('--type <type>', 'android, usb_modem, raspberry_pi, mini_pc or generic')
    .option('--operator <name>', 'mobile operator, as the hub shows it')
    .option('--region <name>', 'where the device is, as the hub shows it')
    .option('--insecure-hub', 'send the device key to a hub beyond this machine without TLS (in a VPN)')
    .option('--log-level <level>', 'trace, debug, info, warn, error or silent')

/** Adds the flags that say how the device's proxy and tunnel are reached. */
export const addServeOptions = (command: Command): Command =>
  command
    .option('--listen <address:port>', 'where the proxy listens (default 127.0.0.1:0, a free port)')
    .option(
      '--advertise <host[:port]|none>',
      'where parsers reach the proxy, when that is elsewhere; none: nowhere, the hub reaches the device by its tunnel',
    )
    .option('--no-tunnel', 'dial no tunnel: the hub reaches the device at its proxy alone')
    .option('--no-policy-routes', "leave the kernel's routes of the device's interface alone: somebody else sets them")
    .option('--no-recovery', 'do nothing about a device that has lost its connection by itself, but switch its radio on')
    .option('--ipv6', 'reach targets that have no IPv4 address by the IPv6 address of the interface')
    .option('--tunnel-sessions <count>', 'connections of the tunnel, 1 to 16 (default: 1 where the hub is near, else 4)', Number)
    .option('--allow-private-targets', 'let parsers reach private and loopback addresses')

/** The configuration that a command is given, not checked yet. Throws `bad_config`. */
export const gathered = (flags: Flags): Gathered =>
  gatherConfig(Object.fromEntries(Object.entries(flags).filter(([flag]) => !ownFlags.includes(flag))), process.env)

/** Every device's configuration, checked. Throws `bad_config` with the problems of all of them. */
export function checkedConfigs({ devices, file, path }: Gathered): AgentConfig[] {
  const [only] = devices
  if (file === null && only?.input.hub === undefined && only?.input.name === undefined)
    throw new AgentError(
      'bad_config',
      `This device is not enrolled: there is no ${path}, and no flags say what it is. Create a token at the hub (the page's "Add a device"), then run: mobilepool-agent enroll --hub URL --token TOKEN --name NAME --driver KIND`,
    )
  const problems: string[] = []
  const configs = devices.flatMap(({ input, whereIs }) => {
    try {
      return [parseConfig(input, whereIs)]
    } catch (error) {
      if (!(error instanceof AgentError)) throw error
      const name = devices.length > 1 && typeof input.name === 'string' ? `${input.name}: ` : ''
      problems.push(...error.message.split('\n').map((line) => `${name}${line}`))
      return []
    }
  })
  if (problems.length > 0) throw new AgentError('bad_config', problems.join('\n'))
  const folders = new Map<string, string>()
  for (const { name, stateDir } of configs) {
    const other = folders.get(stateDir)
    if (other !== undefined)
      throw new AgentError(
        'bad_config',
        `stateDir (--state-dir): ${stateDir} is that of ${other} and of ${name}: each device needs its own`,
      )
    folders.set(stateDir, name)
  }
  return configs
}

/** The one device that a command is about. Throws `bad_config` when there are several. */
export function onlyConfig(from: Gathered): AgentConfig {
  const configs = checkedConfigs(from)
  const [config] = configs
  if (!config || configs.length > 1)
    throw new AgentError('bad_config', `${from.path} has ${configs.length} devices: say which with --name.`)
  return config
}

/** The state folders that a command is about, whether or not the rest of the configuration is there. Throws `bad_config`. */
export function foldersOf({ devices, path, file }: Gathered): { readonly name: string; readonly stateDir: string }[] {
  return devices.map(({ input }) => {
    const place = placeOf(input)
    if (place) return place
    const where = file ? `${path} does not say` : `there is no ${path}`
    throw new AgentError('bad_config', `Which device? Give --name or --state-dir: ${where}.`)
  })
}

/** The one state folder that a command is about. Throws `bad_config`. */
export function onlyFolder(from: Gathered): { readonly name: string; readonly stateDir: string } {
  const folders = foldersOf(from)
  const [place] = folders
  if (!place || folders.length > 1) throw new AgentError('bad_config', `${from.path} has ${folders.length} devices: say which with --name.`)
  return place
}
