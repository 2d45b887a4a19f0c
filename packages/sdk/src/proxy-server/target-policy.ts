import { isIP } from 'node:net'
import { z } from 'zod'
import { classifyAddress } from './address-class.ts'
import { ProxyError } from './proxy-error.ts'
import { authorityOf, type ProxyTarget } from './target.ts'

/** Options of `createTargetPolicy`. */
export interface TargetPolicyOptions {
  /** Ports that are connected to, single ones and `[first, last]`. @default null: all of them */
  ports?: readonly (number | readonly [first: number, last: number])[] | null
  /**
   * Lets clients reach private, loopback and other special addresses. Link-local, metadata and multicast addresses stay refused.
   * @default false
   */
  allowPrivate?: boolean
}

/** Where a proxy connects to. Asked twice: of the target as the client names it, and of each address that is about to be dialled. */
export interface TargetPolicy {
  /** What is wrong with a target, for the client; null: nothing that can be seen before its name is resolved. */
  judge(target: ProxyTarget): string | null
  /**
   * Whether an address may be dialled. Dial the address that was asked about, not its name again: the name can lead elsewhere by then
   * (DNS rebinding).
   */
  allowsAddress(address: string): boolean
}

const port = z.number().int().min(1).max(65_535)
const portsSchema = z.array(z.union([port, z.tuple([port, port]).refine(([first, last]) => first <= last)])).nullable()

/** Names that mean this machine or a cloud's metadata wherever they are resolved. */
const namesOfThisPlace = /(^|\.)(localhost|metadata\.google\.internal)\.?$/i

/** Makes a policy; throws `bad_options` when a port is none. */
export function createTargetPolicy({ ports = null, allowPrivate = false }: TargetPolicyOptions = {}): TargetPolicy {
  const parsed = portsSchema.safeParse(ports)
  if (!parsed.success) throw new ProxyError('bad_options', 'ports: must be a list of ports from 1 to 65535 and of [first, last].')
  const allowsPort = (asked: number): boolean =>
    parsed.data === null || parsed.data.some((item) => (typeof item === 'number' ? asked === item : asked >= item[0] && asked <= item[1]))
  const allowsAddress = (address: string): boolean => {
    const found = classifyAddress(address)
    return found === 'public' || (found === 'private' && allowPrivate)
  }
  return {
    allowsAddress,
    judge: (target) => {
      if (!allowsPort(target.port)) return `This proxy does not connect to port ${target.port}.`
      const isRefused = isIP(target.host) === 0 ? !allowPrivate && namesOfThisPlace.test(target.host) : !allowsAddress(target.host)
      return isRefused ? `${authorityOf(target)} is not on the public internet: this proxy connects only to public addresses.` : null
    },
  }
}
