import type { Command } from 'commander'
import { systemClock } from '../clock.ts'
import type { Flags } from '../config-sources.ts'
import { writeDevice } from '../config-writer.ts'
import { ensureEnrolled } from '../enrolment.ts'
import { AgentError } from '../errors.ts'
import { createLogger } from '../logger.ts'
import { openDevice } from '../open-device.ts'
import { addConfigOptions, addServeOptions, gathered, onlyConfig } from './config-options.ts'

/** `enroll` is run by a person who waits. */
const ENROL_TIMEOUT_MS = 30_000

/** `mobilepool-agent enroll`. */
export function addEnrollCommand(program: Command): void {
  const command = program
    .command('enroll')
    .description('enrol the device with a one-time token, write down how it is run, then end; does nothing twice')
  addServeOptions(addConfigOptions(command)).action(enroll)
}

async function enroll(flags: Flags): Promise<void> {
  const from = gathered(flags)
  const config = onlyConfig(from)
  const log = createLogger(config.logLevel, config.name)
  const device = await openDevice(config, { clock: systemClock, random: Math.random, log })
  const patience = new AbortController()
  const timer = setTimeout(() => {
    patience.abort(new AgentError('hub_unreachable', `The hub at ${config.hub} could not be reached for ${ENROL_TIMEOUT_MS / 1_000} s.`))
  }, ENROL_TIMEOUT_MS)
  try {
    const { name, deviceId } = await ensureEnrolled(device, patience.signal)
    const isWritten = await writeDevice(from, config)
    log.info({ name, deviceId, config: from.path }, 'the device is enrolled: start it with mobilepool-agent run')
    if (isWritten) log.info({ config: from.path }, 'how it is run is written down there')
  } finally {
    clearTimeout(timer)
    await device.close()
  }
}
