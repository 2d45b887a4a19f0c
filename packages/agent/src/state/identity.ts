import { randomBytes } from 'node:crypto'
import { deviceName } from '@mobilepool/sdk/contract'
import { z } from 'zod'
import { AgentError } from '../errors.ts'
import type { HubClient } from '../hub/hub-client.ts'
import type { PrivateDir } from './private-dir.ts'

const FILE = 'device.json'

const identity = z.object({
  deviceId: z.uuid(),
  name: deviceName,
  deviceKey: z.string().min(1),
  proxyUsername: z.string().min(1),
  proxyPassword: z.string().min(1),
})

/** Who this device is: what the hub gave it at its enrolment, and the password of its proxy. Secrets, all of it. */
export type Identity = z.infer<typeof identity>

/** The identity of an earlier start; null before the enrolment. Throws `bad_config` when the folder belongs to another device. */
export async function loadIdentity(dir: PrivateDir, name: string): Promise<Identity | null> {
  const known = await dir.read(FILE, identity)
  if (known && known.name !== name) {
    throw new AgentError(
      'bad_config',
      `${dir.path} belongs to the device ${known.name}: use --name ${known.name}, or another --state-dir for ${name}.`,
    )
  }
  return known
}

/** Enrols the device and keeps what it is given. Throws `enroll_refused`, `hub_unreachable`, `state_dir`. */
export async function enrol(hub: HubClient, dir: PrivateDir, request: Parameters<HubClient['enroll']>[0]): Promise<Identity> {
  const { deviceId, name, deviceKey } = await hub.enroll(request)
  const enrolled = { deviceId, name, deviceKey, proxyUsername: 'parser', proxyPassword: randomBytes(24).toString('base64url') }
  await dir.write(FILE, enrolled)
  return enrolled
}
