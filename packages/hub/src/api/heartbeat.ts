import { heartbeatReply } from '@mobilepool/sdk/contract'
import type { Caller } from '../auth/caller.ts'
import { HubError, refused } from '../errors.ts'
import { networkMatcher } from '../fleet/address.ts'
import type { Device } from '../fleet/device.ts'
import type { TakenHeartbeat } from '../fleet/fleet.ts'
import { identify, secretOf } from './access.ts'
import { addressOf } from './client-address.ts'
import type { ApiContext, Routes } from './context.ts'
import { plainJson } from './device-list.ts'
import { heartbeatQuery, heartbeatValidator } from './heartbeat-query.ts'
import { problemReplies } from './problem.ts'
import { soon } from './soon.ts'
import { stamp } from './stamp.ts'

/**
 * A heartbeat is answered after this long at the latest, half of the crontab line's `curl -m 10`: a slow database must not hold the
 * phones' connections.
 */
const ANSWER_AFTER_MS = 5_000
/** Seconds: the crontab's own pace, or what makes the database refuse a value would be asked again and again. */
const RETRY_REFUSED_AFTER = 60
const RETRY_LATE_AFTER = 5

/** `GET /proxy_server?name=`: the crontab line's heartbeat, to the letter of the Korean specification. */
export const heartbeatRoutes: Routes = (context) => (app, _options, done) => {
  const isAllowed = allowedSource(context)
  app.get(
    '/proxy_server',
    {
      // A HEAD would be a heartbeat that its sender cannot read.
      exposeHeadRoute: false,
      validatorCompiler: heartbeatValidator,
      serializerCompiler: plainJson,
      schema: {
        summary: 'A heartbeat; the exit IP is the address it comes from',
        tags: ['heartbeat'],
        querystring: heartbeatQuery,
        response: { 200: heartbeatReply, ...problemReplies },
      },
    },
    async (request, reply) => {
      const { name, key } = request.query
      const address = addressOf(request)
      isAllowed(address)
      const secret = secretOf(request) ?? key ?? null
      const caller = secret === null ? null : await identify(context, secret, request)
      const known = context.fleet.findByName(name)
      admitHeartbeat(context, name, known, caller)
      const taken = context.fleet.hear(name, address)
      if ('code' in taken) throw refused(taken)
      await settled(taken)
      // Carriers' transparent proxies cache GETs.
      reply.header('cache-control', 'no-store')
      return { success: true as const, name, remote_ip: address, ip_changed: taken.ipChanged, timestamp: stamp(context.now()) }
    },
  )
  done()
}

/** Refuses addresses outside HEARTBEAT_ALLOW. */
export function allowedSource({ config }: ApiContext): (address: string) => void {
  const isListed = networkMatcher(config.heartbeatAllow)
  return (address) => {
    if (config.heartbeatAllow.length > 0 && !isListed(address))
      throw new HubError('forbidden', `Heartbeats from ${address} are not taken: it is outside HEARTBEAT_ALLOW.`)
  }
}

/**
 * Waits until a heartbeat is written, or kept because the database is away.
 * @throws HubError `heartbeat_not_stored` when the database refused it, or has not taken it in time (it may still do so)
 */
export async function settled({ device, written }: TakenHeartbeat): Promise<void> {
  const fate = await soon(written, ANSWER_AFTER_MS)
  if (fate === 'stored' || fate === 'kept') return
  const [why, retryAfter] =
    fate === 'late'
      ? [`was heard, but the database has not written that within ${ANSWER_AFTER_MS / 1_000} s. It is still tried`, RETRY_LATE_AFTER]
      : ['could not be written: the log of the hub says why', RETRY_REFUSED_AFTER]
  throw new HubError('heartbeat_not_stored', `The heartbeat of ${device.name} ${why}; send the next one as usual.`, { retryAfter })
}

/** With a name alone anybody could send a device's traffic elsewhere: a device that has a key must bring it, and a key speaks for its device only. */
function admitHeartbeat({ keys }: ApiContext, name: string, known: Device | null, caller: Caller | null): void {
  const isOwn = known !== null && caller?.deviceId === known.id
  if (caller?.scope === 'device' && !isOwn) throw new HubError('forbidden', `This key speaks for another device than ${name}.`)
  if (isOwn || known === null || !keys.hasDeviceKey(known.id)) return
  if (caller === null) throw new HubError('unauthorized', `${name} has a key: send it with &key= or as "Authorization: Bearer mp_...".`)
  throw new HubError('forbidden', `Heartbeats of ${name} take its own key.`)
}
