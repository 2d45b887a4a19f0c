import type { Duplex } from 'node:stream'
import { MobilePoolError } from '../../errors.ts'
import type { PlainAnswer, PlainRequest, ProxyContext, ProxyTarget } from '../../proxy-server/index.ts'
import type { Carrier } from '../carrier.ts'
import type { Scope } from '../scope.ts'
import { AnswerReader } from './answer-reader.ts'
import { proxyErrorOf } from './proxy-error-of.ts'

const [DEVICE, IP, ATTEMPTS] = ['x-mobilepool-device', 'x-mobilepool-ip', 'x-mobilepool-attempts'] as const
/** What the pool says of an answer. The site's own fields of such names are never passed on. */
const pooled: readonly string[] = [DEVICE, IP, ATTEMPTS, 'x-mobilepool-request']

/** What of a proxy server's context concerns the pool. */
type Context = Pick<ProxyContext<unknown>, 'signal' | 'replyHeaders'>

/** A proxy server's `connect`: a tunnel through a device of the pool, through another one as long as none stands. */
export async function connectThroughPool(carrier: Carrier, scope: Scope, target: ProxyTarget, context: Context): Promise<Duplex> {
  try {
    const where = { hostname: target.host, port: target.port, isPlainHttp: false }
    const { socket, device, exitIp, attempts } = await carrier.outside(() => carrier.openPath(scope, where, context.signal))
    socket.allowHalfOpen = true
    if (carrier.engine.exposeHeaders) {
      context.replyHeaders.set(DEVICE, encodeURIComponent(device.device))
      if (exitIp !== null) context.replyHeaders.set(IP, exitIp)
      context.replyHeaders.set(ATTEMPTS, String(attempts))
    }
    return socket
  } catch (error) {
    throw refusalOf(error, carrier, context)
  }
}

/** A proxy server's `forward`: the way of `fetch`, with retries and bans. */
export async function forwardThroughPool(
  carrier: Carrier,
  scope: Scope,
  { target, method, path, headers, body }: PlainRequest,
  context: Context,
): Promise<PlainAnswer> {
  const reader = new AnswerReader(context.signal)
  const options = { origin: originOf(target), method, path, headers, body }
  carrier.outside(() => carrier.dispatch(scope, options, reader))
  let answer: PlainAnswer
  try {
    answer = await reader.answer
  } catch (error) {
    throw refusalOf(error, carrier, context)
  }
  if (carrier.engine.exposeHeaders) {
    for (let at = 0; at + 1 < answer.headers.length; at += 2) {
      const name = answer.headers[at]?.toLowerCase() ?? ''
      if (pooled.includes(name)) context.replyHeaders.set(name, answer.headers[at + 1] ?? '')
    }
  }
  return answer
}

/** What the client is told, with the number of attempts where the pool knows it. */
function refusalOf(error: unknown, { engine }: Carrier, { replyHeaders }: Context): unknown {
  if (engine.exposeHeaders && error instanceof MobilePoolError) replyHeaders.set(ATTEMPTS, String(error.attempts.length))
  return proxyErrorOf(error)
}

const originOf = ({ host, port }: ProxyTarget): string => {
  const name = host.includes(':') ? `[${host}]` : host
  return port === 80 ? `http://${name}` : `http://${name}:${port}`
}
