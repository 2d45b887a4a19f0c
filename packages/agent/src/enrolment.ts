import { createBackOff } from './back-off.ts'
import { AgentError } from './errors.ts'
import type { OpenDevice } from './open-device.ts'
import { enrol, type Identity, loadIdentity } from './state/identity.ts'
import { agentVersion } from './version.ts'

const MIN_WAIT_MS = 500
const MAX_WAIT_MS = 30_000

/**
 * Who this device is: known from an earlier start, or enrolled now with the token. Waits for a hub that cannot be reached.
 * Throws `not_enrolled` without either, `enroll_refused` when the hub does not take the token, the signal's reason when it aborts.
 */
export async function ensureEnrolled(device: OpenDevice, signal: AbortSignal): Promise<Identity> {
  const { config, dir, hub, clock, log } = device
  const known = await loadIdentity(dir, config.name)
  if (known) {
    hub.useKey(known.deviceKey)
    return known
  }
  const { token } = config
  if (token === undefined) {
    throw new AgentError(
      'not_enrolled',
      `${config.name} has no key in ${dir.path} yet: create a token on the hub (POST /api/v1/agents/tokens) and give it with --token or MOBILEPOOL_TOKEN.`,
    )
  }
  const request = {
    token,
    name: config.name,
    device_type: config.type,
    operator: config.operator ?? null,
    region: config.region ?? null,
    agent_version: agentVersion,
  }
  const backOff = createBackOff(MIN_WAIT_MS, MAX_WAIT_MS, device.random)
  for (;;) {
    try {
      const enrolled = await enrol(hub, dir, request)
      hub.useKey(enrolled.deviceKey)
      log.info({ deviceId: enrolled.deviceId }, 'enrolled')
      return enrolled
    } catch (error) {
      if (!(error instanceof AgentError) || error.code !== 'hub_unreachable') throw error
      signal.throwIfAborted()
      const waitMs = backOff.next()
      log.warn({ reason: error.message, waitMs }, 'not enrolled yet')
      await clock.sleep(waitMs, signal)
    }
  }
}
