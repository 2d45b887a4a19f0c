#!/usr/bin/env node
import { Command } from 'commander'
import { agentOf } from './agent.ts'
import { systemClock } from './clock.ts'
import { parseConfig } from './config.ts'
import { type Flags, gatherConfig } from './config-sources.ts'
import { driverKinds } from './drivers/create-driver.ts'
import { ensureEnrolled } from './enrolment.ts'
import { AgentError } from './errors.ts'
import { createLogger } from './logger.ts'
import { openDevice } from './open-device.ts'
import { agentVersion } from './version.ts'

/** `enroll` is run by a person who waits. */
const ENROL_TIMEOUT_MS = 30_000
/** npx hands on the Ctrl-C that the terminal has sent already: two signals so close together are one. */
const SAME_SIGNAL_MS = 500

const program = new Command('mobilepool-agent')
  .description('Runs on or beside a mobile device: its proxy, its heartbeats, its rotations.')
  .version(agentVersion)

function addConfigOptions(command: Command): Command {
  return command
    .option('--config <file>', 'JSON file with these options, in camelCase (stateDir, driverOptions, ...)')
    .option('--hub <url>', 'URL of the hub, e.g. http://127.0.0.1:3001 (env MOBILEPOOL_HUB_URL)')
    .option('--token <token>', 'one-time token, needed on the first start only (env MOBILEPOOL_TOKEN)')
    .option('--name <name>', 'name of the device, e.g. seoul-01')
    .option('--state-dir <folder>', 'folder for the device key and for results not acknowledged yet')
    .option('--driver <kind>', `how the device is controlled: ${driverKinds.join(', ')}`)
    .option('--driver-options <json>', 'options of the driver, as a JSON object')
    .option('--type <type>', 'android, usb_modem, raspberry_pi, mini_pc or generic')
    .option('--operator <name>', 'mobile operator, as the hub shows it')
    .option('--region <name>', 'where the device is, as the hub shows it')
    .option('--insecure-hub', 'send the device key to a hub beyond this machine without TLS (in a VPN)')
    .option('--log-level <level>', 'trace, debug, info, warn, error or silent')
}

addConfigOptions(program.command('run').description('run the agent; it enrols the device on the first start'))
  .option('--listen <address:port>', 'where the proxy listens (default 127.0.0.1:0, a free port)')
  .option(
    '--advertise <host[:port]|none>',
    'where parsers reach the proxy, when that is elsewhere; none: nowhere, the hub reaches the device by its tunnel',
  )
  .option('--no-tunnel', 'dial no tunnel: the hub reaches the device at its proxy alone')
  .option('--no-policy-routes', "leave the kernel's routes of the device's interface alone: somebody else sets them")
  .option('--tunnel-sessions <count>', 'connections of the tunnel, 1 to 16 (default: 1 where the hub is near, else 4)', Number)
  .option('--allow-private-targets', 'let parsers reach private and loopback addresses')
  .action(async (flags: Flags) => {
    const agent = agentOf(parseConfig(gatherConfig(flags, process.env)))
    let stopped: Promise<void> | null = null
    const asked = new Promise<void>((resolve) => {
      let askedAt: number | null = null
      const stop = (signal: NodeJS.Signals): void => {
        if (askedAt !== null) {
          // Whoever presses Ctrl-C twice does not want to wait; what was cut short is mended by the next start.
          if (performance.now() - askedAt > SAME_SIGNAL_MS) process.exit(signal === 'SIGINT' ? 130 : 143)
          return
        }
        askedAt = performance.now()
        stopped = agent.stop()
        resolve()
      }
      process.on('SIGTERM', stop)
      process.on('SIGINT', stop)
    })
    try {
      await agent.start()
    } catch (error) {
      if (!stopped) throw error
    }
    await asked
    await stopped
  })

addConfigOptions(program.command('enroll').description('enrol the device with a one-time token, then end')).action(async (flags: Flags) => {
  const config = parseConfig(gatherConfig(flags, process.env))
  const log = createLogger(config.logLevel, config.name)
  const device = await openDevice(config, { clock: systemClock, random: Math.random, log })
  const patience = new AbortController()
  const timer = setTimeout(() => {
    patience.abort(new AgentError('hub_unreachable', `The hub at ${config.hub} could not be reached for ${ENROL_TIMEOUT_MS / 1_000} s.`))
  }, ENROL_TIMEOUT_MS)
  try {
    const { name, deviceId } = await ensureEnrolled(device, patience.signal)
    log.info({ name, deviceId }, 'the device is enrolled: start it with mobilepool-agent run')
  } finally {
    clearTimeout(timer)
    await device.close()
  }
})

try {
  await program.parseAsync()
} catch (error) {
  const isExpected = error instanceof AgentError
  console.error(isExpected ? `mobilepool-agent: ${error.message}` : error)
  process.exitCode = 1
}
