import { type LookupAddress, type LookupOptions, lookup } from 'node:dns'
import { isIP } from 'node:net'
import { type AddressClass, classifyAddress } from '@mobilepool/sdk/proxy-server'

/** The target lies where the hub does not go. Its message names the host only. */
export class TargetRefused extends Error {
  override readonly name = 'TargetRefused'
}

type Callback = (error: Error | null, address: string | LookupAddress[], family?: number) => void

/** Says whether an address may be dialled, and may keep what it saw. @throws TargetRefused */
export type AddressGuard = (host: string, found: AddressClass) => void

/**
 * `dns.lookup` for sockets, every address of a name checked at the moment of dialling: a name that is harmless when it is checked and
 * leads elsewhere when it is dialled (DNS rebinding) gains nothing.
 */
export const guardedLookup =
  (guard: AddressGuard) =>
  (host: string, options: LookupOptions, callback: Callback): void => {
    lookup(host, { ...options, all: true }, (error, addresses) => {
      if (error) return callback(error, '')
      try {
        for (const { address } of addresses) guard(host, classifyAddress(address))
      } catch (refusal) {
        return callback(refusal as Error, '')
      }
      const [first] = addresses
      if (options.all === true || first === undefined) callback(null, addresses)
      else callback(null, first.address, first.family)
    })
  }

/** The same check for a host that is an address already; sockets look up names only. @throws TargetRefused */
export function guardLiteral(host: string, guard: AddressGuard): void {
  const bare = host.replace(/^\[(.*)\]$/, '$1')
  if (isIP(bare) !== 0) guard(host, classifyAddress(bare))
}
