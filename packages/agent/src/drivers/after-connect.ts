import { z } from 'zod'
import { AgentError } from '../errors.ts'
import { runCommand } from './run-command.ts'

const HOOK_MS = 20_000

/** Program and arguments, run after each connect with what the carrier gave: to set address and routes where no NetworkManager does. */
export const afterConnectOption = z.array(z.string().max(10_000)).min(1, 'must be [program, argument, ...]').max(100).optional()

/** What the carrier gave a connection; null: not known. */
export interface CarrierGift {
  readonly interface: string | null
  /** `static`, `dhcp`, `ppp`. */
  readonly method: string | null
  readonly address: string | null
  /** Length of the network's prefix, in bits. */
  readonly prefix: string | null
  readonly gateway: string | null
  readonly dns: readonly string[]
  /** In bytes. */
  readonly mtu: string | null
}

/** Runs the command `afterConnect` of a device. Throws `no_data_session` when it fails. */
export async function runAfterConnect(
  [program, ...args]: readonly [string, ...string[]],
  device: string,
  gift: CarrierGift,
  signal: AbortSignal,
): Promise<void> {
  const env = {
    MP_DEVICE: device,
    MP_INTERFACE: gift.interface ?? '',
    MP_METHOD: gift.method ?? '',
    MP_ADDRESS: gift.address ?? '',
    MP_PREFIX: gift.prefix ?? '',
    MP_GATEWAY: gift.gateway ?? '',
    MP_DNS: gift.dns.join(' '),
    MP_MTU: gift.mtu ?? '',
  }
  const { exitCode, lastLine } = await runCommand(program, args, { signal, timeoutMs: HOOK_MS, env })
  if (exitCode !== 0) throw new AgentError('no_data_session', `The command afterConnect ended with code ${exitCode}: ${lastLine}`)
}
