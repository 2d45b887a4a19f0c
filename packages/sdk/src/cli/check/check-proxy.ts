import net from 'node:net'
import tls from 'node:tls'
import type { DeviceLink } from '../../dispatch/connect-device.ts'
import { basicAuthorization } from '../../dispatch/endpoint.ts'
import { type EchoReply, readEchoReply } from './echo-reply.ts'
import { exchange, sentHeaders } from './exchange.ts'
import { type Knock, knockAtProxy, knockThrough, linkTo, reasonOf, type TunnelEnd } from './knock.ts'
import type { Observation, TargetObservation, WayThrough } from './observation.ts'
import type { ListedProxy } from './proxy-list.ts'
import { addedBy } from './verdict.ts'

/** What to look at. */
export interface CheckSettings {
  readonly echo: URL | null
  /** What the echo said without any proxy; null: not asked, or no answer. */
  readonly direct: EchoReply | null
  readonly targets: readonly { readonly hostname: string; readonly port: number }[]
  /** For each step: connecting, a tunnel, an answer. */
  readonly timeoutMs: number
}

/**
 * A name that resolves nowhere (RFC 6761, 6.4): asked for it, a proxy says whether it takes our credentials, and nobody is contacted.
 */
const NOWHERE: TunnelEnd = { hostname: 'mobilepool-check.invalid', port: 443, isTls: false }

const notChecked = (why: string): WayThrough => ({ kind: 'not_checked', why })

/** Looks at one proxy: reaches it, goes through it both ways, and hears from the echo what arrived. Never rejects for what a proxy does. */
export async function checkProxy({ url, shown }: ListedProxy, settings: CheckSettings): Promise<Observation> {
  const link = linkTo(url, shown, settings.timeoutMs)
  const isSocks = new URL(url).protocol.startsWith('socks')
  const hasCredentials = withoutCredentials(url) !== url
  const without = notChecked('there is no echo: give --echo')
  const nothing: Observation = {
    proxy: shown,
    unreachable: null,
    credentials: 'unknown',
    isOpenToAnyone: null,
    connect: without,
    absoluteForm: isSocks ? notChecked('SOCKS has none') : without,
    exitIp: null,
    directIp: settings.direct?.ip ?? null,
    addedHeaders: null,
    resolvesNames: null,
    latency: { connectMs: null, tunnelMs: null, firstByteMs: null },
    targets: [],
  }

  const reached = await knockAtProxy(link)
  if (!reached.isOpen) return { ...nothing, unreachable: reasonOf(reached.error) }
  reached.socket.destroy()
  const latency = { ...nothing.latency, connectMs: reached.durationMs }

  const door = await knockThrough(link, settings.echo === null ? NOWHERE : endOf(settings.echo))
  if (isRefusal(door)) return { ...nothing, latency, credentials: 'refused', isOpenToAnyone: false }
  const through = settings.echo === null ? hangUp(door) : await askEcho(door, link, isSocks, settings.echo, settings)

  const isOpenToAnyone = hasCredentials ? await letsAnyoneIn(url, shown, settings) : true
  const targets: TargetObservation[] = []
  for (const target of settings.targets) targets.push(await tryTarget(link, target))
  return {
    ...nothing,
    ...through,
    latency: { ...latency, ...through.latency },
    credentials: hasCredentials ? 'accepted' : 'not_asked',
    isOpenToAnyone,
    targets,
  }
}

/** Asks the echo without a proxy: which address this machine has, and what arrives of a request when nobody touches it. */
export async function askDirectly(echo: URL, timeoutMs: number): Promise<EchoReply | null> {
  const { hostname, port, isTls } = endOf(echo)
  const options = { host: hostname, port, timeout: timeoutMs }
  const socket = isTls ? tls.connect({ ...options, servername: net.isIP(hostname) === 0 ? hostname : '' }) : net.connect(options)
  try {
    const answer = await exchange(socket, { path: echo.pathname + echo.search, host: echo.host, timeoutMs })
    return readEchoReply(answer.body) ?? null
  } catch {
    return null
  }
}

/** The part of an observation that an echo gives. */
type Through = Pick<Observation, 'connect' | 'absoluteForm' | 'exitIp' | 'addedHeaders' | 'resolvesNames'> & {
  readonly latency: { readonly tunnelMs?: number; readonly firstByteMs?: number }
}

async function askEcho(door: Knock, link: DeviceLink, isSocks: boolean, echo: URL, settings: CheckSettings): Promise<Through> {
  const { timeoutMs, direct } = settings
  const tunnelled = await askThroughTunnel(door, echo, timeoutMs)
  const forwarded =
    isSocks || echo.protocol === 'https:'
      ? { way: notChecked(isSocks ? 'SOCKS has none' : 'the echo is https, which always goes by CONNECT'), reply: undefined }
      : await askInAbsoluteForm(link, echo, timeoutMs)
  const replies = [tunnelled.reply, forwarded.reply].filter((reply) => reply !== undefined)
  const telling = replies.flatMap(({ headers }) => (headers === null ? [] : [addedBy(headers, sentHeaders, direct?.headers ?? null)]))
  const added = new Map(telling.flat().map((header) => [header.name, header]))
  const isNamed = net.isIP(endOf(echo).hostname) === 0
  const firstByteMs = tunnelled.firstByteMs ?? forwarded.firstByteMs
  return {
    connect: tunnelled.way,
    absoluteForm: forwarded.way,
    exitIp: replies[0]?.ip ?? null,
    addedHeaders: telling.length === 0 ? null : [...added.values()],
    resolvesNames: isNamed && replies.length > 0 ? true : null,
    latency: { ...(door.isOpen ? { tunnelMs: door.durationMs } : {}), ...(firstByteMs === undefined ? {} : { firstByteMs }) },
  }
}

interface Asked {
  readonly way: WayThrough
  readonly reply: EchoReply | undefined
  readonly firstByteMs?: number
}

async function askThroughTunnel(door: Knock, echo: URL, timeoutMs: number): Promise<Asked> {
  if (!door.isOpen) {
    return { way: { kind: 'failed', why: reasonOf(door.error), status: door.error.statusCode ?? null }, reply: undefined }
  }
  return ask(door, echo.pathname + echo.search, {}, echo, timeoutMs)
}

async function askInAbsoluteForm(link: DeviceLink, echo: URL, timeoutMs: number): Promise<Asked> {
  const door = await knockAtProxy(link)
  if (!door.isOpen) return { way: { kind: 'failed', why: reasonOf(door.error), status: null }, reply: undefined }
  return ask(door, echo.href, authorizationOf(link), echo, timeoutMs)
}

async function ask(
  door: Extract<Knock, { isOpen: true }>,
  path: string,
  headers: Record<string, string>,
  echo: URL,
  timeoutMs: number,
): Promise<Asked> {
  try {
    const { statusCode, body, firstByteMs } = await exchange(door.socket, { path, host: echo.host, headers, timeoutMs })
    const reply = readEchoReply(body)
    if (statusCode === 200) return { way: { kind: 'works' }, reply, firstByteMs }
    return { way: { kind: 'failed', why: `answered with ${statusCode}`, status: statusCode }, reply: undefined }
  } catch (error) {
    return { way: { kind: 'failed', why: reasonOf(error), status: null }, reply: undefined }
  }
}

async function letsAnyoneIn(url: string, shown: string, settings: CheckSettings): Promise<boolean> {
  const link = linkTo(withoutCredentials(url), shown, settings.timeoutMs)
  const door = await knockThrough(link, settings.echo === null ? NOWHERE : endOf(settings.echo))
  if (door.isOpen) door.socket.destroy()
  // Without an echo only a proxy that asks for credentials shows itself: the name resolves nowhere, so nothing else can succeed.
  return settings.echo === null ? !isRefusal(door) && !door.isOpen && door.error.code === 'MP_TUNNEL_REFUSED' : door.isOpen
}

async function tryTarget(link: DeviceLink, { hostname, port }: { hostname: string; port: number }): Promise<TargetObservation> {
  const door = await knockThrough(link, { hostname, port, isTls: false })
  if (door.isOpen) door.socket.destroy()
  const target = net.isIPv6(hostname) ? `[${hostname}]:${port}` : `${hostname}:${port}`
  return { target, isOpen: door.isOpen, why: door.isOpen ? null : reasonOf(door.error), durationMs: door.durationMs }
}

function hangUp(door: Knock): { readonly latency: object } {
  if (door.isOpen) door.socket.destroy()
  return { latency: {} }
}

const isRefusal = (door: Knock): boolean => !door.isOpen && door.error.code === 'MP_DEVICE_AUTH'

function endOf(echo: URL): TunnelEnd {
  const isTls = echo.protocol === 'https:'
  return { hostname: echo.hostname.replace(/^\[|\]$/g, ''), port: Number(echo.port) || (isTls ? 443 : 80), isTls }
}

function withoutCredentials(proxyUrl: string): string {
  const url = new URL(proxyUrl)
  if (url.username === '' && url.password === '') return proxyUrl
  url.username = ''
  url.password = ''
  return url.href
}

function authorizationOf(link: DeviceLink): Record<string, string> {
  const authorization = basicAuthorization(link.endpoint)
  return authorization === null ? {} : { 'proxy-authorization': authorization }
}
