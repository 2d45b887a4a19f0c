import type { Duplex } from 'node:stream'
import { abort } from '../abort.ts'
import type { Identity } from '../admission.ts'
import type { ClientConnection } from '../connections.ts'
import { failureOf } from '../failure.ts'
import { endGently } from '../reply.ts'
import type { ProxyService } from '../service.ts'
import { joinAfterHandshake } from '../upgrade.ts'
import { whileWatched } from '../while-watched.ts'
import { FrameReader } from './frame-reader.ts'
import { readCredentials, readGreeting, readRequest, type SocksRequest, socksMethods } from './handshake.ts'
import { replyFrame, type SocksReply, socksReplies, socksReplyOf } from './replies.ts'

/** Version of the answer to a user name and password, and its two words (RFC 1929, 2). */
const WELCOME = Buffer.from([1, 0])
const NOT_WELCOME = Buffer.from([1, 1])

/** Serves a client that speaks SOCKS5 (RFC 1928, 1929): CONNECT by IPv4, IPv6 and name. Never throws. */
export async function serveSocks<User>(
  service: ProxyService<User>,
  connection: ClientConnection<User>,
  idleTimeoutMs: number,
): Promise<void> {
  const { stream } = connection
  const reader = new FrameReader(stream)
  try {
    const identity = await introduce(service, connection, reader)
    const request = identity && (await readRequest(reader))
    reader.release()
    if (!identity || !request) {
      endGently(stream)
      return
    }
    connection.onGreeted()
    if ('setTimeout' in stream && typeof stream.setTimeout === 'function') stream.setTimeout(idleTimeoutMs, () => service.onIdle(stream))
    await connect(service, connection, identity, request)
  } catch {
    // A bug of ours, in this connection: the others go on.
    abort(stream)
  } finally {
    reader.release()
  }
}

/** The choice of a method, and user name and password where they are asked for; null when the client has been turned away. */
async function introduce<User>(
  service: ProxyService<User>,
  connection: ClientConnection<User>,
  reader: FrameReader,
): Promise<Identity<User> | null> {
  const { stream } = connection
  const offered = await readGreeting(reader)
  if (!offered) return null
  // A client that offers a password has one; others may be let in for their address.
  const takesPassword = offered.includes(socksMethods.password)
  if (!takesPassword) {
    const identity = offered.includes(socksMethods.none) ? await identify(service, connection, null) : null
    stream.write(Buffer.from([5, identity ? socksMethods.none : socksMethods.noneAcceptable]))
    return identity
  }
  stream.write(Buffer.from([5, socksMethods.password]))
  const credentials = await readCredentials(reader)
  if (!credentials) return null
  const identity = await identify(service, connection, credentials)
  stream.write(identity ? WELCOME : NOT_WELCOME)
  return identity
}

async function identify<User>(
  service: ProxyService<User>,
  connection: ClientConnection<User>,
  credentials: Awaited<ReturnType<typeof readCredentials>>,
): Promise<Identity<User> | null> {
  try {
    return await service.admission.identify(connection, 'socks5', credentials)
  } catch (error) {
    service.turnAway(error)
    return null
  }
}

async function connect<User>(
  service: ProxyService<User>,
  connection: ClientConnection<User>,
  identity: Identity<User>,
  request: SocksRequest,
): Promise<void> {
  const { stream } = connection
  if (request.asks !== 'connect') {
    if (request.asks === 'bad_target') service.turnAway(request.error)
    else service.registry.countTurnedAway('refused')
    refuse(stream, refusals[request.asks])
    return
  }
  let admitted: ReturnType<typeof service.admission.admit>
  try {
    admitted = service.admission.admit(connection, identity, { kind: 'tunnel', target: request.target, headers: {} })
  } catch (error) {
    service.turnAway(error)
    refuse(stream, socksReplyOf(failureOf(error).code))
    return
  }
  const { exchange, open } = admitted
  exchange.signal.addEventListener('abort', () => {
    if (exchange.status === null) {
      service.tell(exchange)
      refuse(stream, socksReplyOf(failureOf(exchange.signal.reason).code))
    } else abort(stream)
  })
  const upstream = await whileWatched(stream, exchange, open())
  if (!upstream) return
  exchange.signal.addEventListener('abort', () => abort(upstream))
  exchange.status = 200
  stream.write(replyFrame(socksReplies.succeeded))
  joinAfterHandshake({ socket: stream, head: Buffer.alloc(0), upstream, exchange })
}

const refusals: Record<Exclude<SocksRequest['asks'], 'connect'>, SocksReply> = {
  unknown_command: socksReplies.command_not_supported,
  unknown_address_type: socksReplies.address_type_not_supported,
  bad_target: socksReplies.general_failure,
  garbage: socksReplies.general_failure,
}

/** Answers and closes. */
function refuse(stream: Duplex, reply: SocksReply): void {
  if (!stream.writable) {
    stream.destroy()
    return
  }
  stream.write(replyFrame(reply))
  endGently(stream)
}
