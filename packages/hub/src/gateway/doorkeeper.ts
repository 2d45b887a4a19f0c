import type { Wish } from '@mobilepool/sdk/gateway'
import type { Authenticate, Credentials, ProxyClient, Verdict } from '@mobilepool/sdk/proxy-server'
import type { AddressBlocks } from '../auth/address-blocks.ts'
import type { Caller } from '../auth/caller.ts'
import type { KeyRing } from '../auth/key-ring.ts'
import type { Quotas } from '../auth/quotas.ts'
import type { Refusal } from '../errors.ts'
import { networkMatcher, normalAddress } from '../fleet/address.ts'
import { isPending } from '../fleet/device.ts'
import type { Fleet } from '../fleet/fleet.ts'
import { RateLimit } from '../rate-limit.ts'
import { KnownUserNames } from './known-user-names.ts'
import type { Client } from './usage-batches.ts'
import type { Choices } from './user-name.ts'

/** Whom a request of the gateway is from, and what it asks. */
export interface Visitor {
  readonly caller: Caller
  readonly wish: Wish
}

export interface DoorkeeperParts {
  keys: Pick<KeyRing, 'identify' | 'isGood'>
  quotas: Pick<Quotas, 'refusalFor'>
  blocks: Pick<AddressBlocks, 'find'>
  fleet: Pick<Fleet, 'find'>
  wish: (choices: Choices, client: Client) => Wish
  config: { gatewayAllow: readonly string[]; gatewayRateLimit: number | null; gatewayConcurrency: number }
  now: () => number
}

const HOW = 'give an API key of scope "proxy" as the password (Proxy-Authorization: Basic), as in http://USER:mp_...@hub:8080'

/** Decides who may use the gateway, and reads from the user name what is asked. Every request needs a key, wherever it comes from. */
export function doorkeeper(parts: DoorkeeperParts): Authenticate<Visitor> {
  const { keys, quotas, blocks, fleet, config, now } = parts
  const isAllowed = config.gatewayAllow.length === 0 ? () => true : networkMatcher(config.gatewayAllow)
  const rates = new RateLimit(1)
  const userNames = new KnownUserNames()

  const paceOf = (caller: Caller): Refusal | null => {
    const limit = config.gatewayRateLimit
    const waitMs = limit === null ? 0 : rates.take(caller.keyId ?? caller.id, now(), limit)
    if (waitMs === 0) return null
    const retryAfter = Math.ceil(waitMs / 1000)
    return {
      code: 'too_many_requests',
      detail: `The key "${caller.name}" begins more than ${limit} requests a minute (GATEWAY_RATE_LIMIT).`,
      retryAfter,
    }
  }

  return async (credentials: Credentials | null, client: ProxyClient): Promise<Verdict<Visitor>> => {
    const address = normalAddress(client.address) ?? client.address
    if (!isAllowed(address)) return no('client_refused', `The gateway takes no clients from ${address} (GATEWAY_ALLOW).`)
    const block = blocks.find(address)
    if (block && !keys.isGood(credentials?.password ?? '')) {
      const until = new Date(block.until).toISOString()
      return no('client_refused', `${address} is blocked until ${until}: ${block.reason}.`, Math.ceil((block.until - now()) / 1000))
    }
    if (credentials === null) return no('auth_required', `This proxy needs a key: ${HOW}.`)
    const caller = await keys.identify(credentials.password, address)
    if ('code' in caller) {
      return caller.code === 'too_many_requests'
        ? tooMany(caller)
        : no('auth_required', `${caller.detail} The password has to be a key: ${HOW}.`)
    }
    if (caller.scope !== 'proxy' && caller.scope !== 'admin')
      return no('client_refused', `The key "${caller.name}" has the scope "${caller.scope}"; the gateway takes "proxy" or "admin".`)
    const read = userNames.read(credentials.username)
    if ('problem' in read) return no('auth_required', read.problem)
    const { choices } = read
    const device = choices.device === null ? null : fleet.find(choices.device)
    if (choices.device !== null && (!device || isPending(device)))
      return no('auth_required', `There is no device "${choices.device.replace(/[^\x20-\x7e]/g, '?')}".`)
    const refusal = quotas.refusalFor(caller) ?? paceOf(caller)
    if (refusal) return tooMany(refusal)
    const reporter = caller.userId ?? caller.keyId ?? caller.id
    try {
      const wish = parts.wish(choices, { reporter, address })
      return { allowed: true, user: { caller, wish }, share: { key: reporter, concurrency: config.gatewayConcurrency } }
    } catch (error) {
      return no('auth_required', `The user name cannot be used: ${error instanceof Error ? error.message : String(error)}.`)
    }
  }
}

const no = (code: 'auth_required' | 'client_refused', detail: string, retryAfterS?: number): Verdict<never> => ({
  allowed: false,
  code,
  detail,
  ...(retryAfterS === undefined ? {} : { retryAfterS: Math.max(1, retryAfterS) }),
})

const tooMany = ({ detail, retryAfter }: Refusal): Verdict<never> => ({
  allowed: false,
  code: 'too_many_requests',
  detail,
  ...(retryAfter === undefined ? {} : { retryAfterS: retryAfter }),
})
