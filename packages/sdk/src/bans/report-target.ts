import net from 'node:net'
import { MobilePoolError } from '../errors.ts'
import { siteHostname } from '../options/site-hostname.ts'

/** A response, of whatever client, that came through the pool and still has the pool's headers. */
export interface ReportedResponse {
  /** As `fetch` (`Headers`), undici, got or axios have them. */
  readonly headers: { get(name: string): unknown } | Readonly<Record<string, unknown>>
  /** The response's own URL, if the client gives it: the site is taken from it. */
  readonly url?: unknown
  /** HTTP status, as `fetch` and axios name it; `statusCode` elsewhere. What is not a number is passed over. */
  readonly status?: unknown
  /** HTTP status, as undici and got name it. */
  readonly statusCode?: unknown
}

/** What a report is about: a response; a device by id or name, with the exit IP that it has now; or a device and the exit IP that it had. */
export type ReportTarget = string | ReportedResponse | { readonly deviceId: string; readonly exitIp?: string | undefined }

/** What a parser found. `site`: needed where the target does not tell it; a host name or URL. */
export type ReportVerdict =
  | { readonly banned: true; readonly ok?: undefined; readonly site?: string | URL | undefined; readonly reason?: string | undefined }
  | { readonly ok: true; readonly banned?: undefined; readonly site?: string | URL | undefined; readonly reason?: undefined }

/** A report, checked. */
export interface Report {
  readonly isBan: boolean
  /** Id or name. */
  readonly device: string
  /** Null: not told. */
  readonly exitIp: string | null
  /** The number of the request that the response belongs to; null: not told. */
  readonly order: number | null
  readonly hostname: string | null
  /** The host name of the response's own URL. */
  readonly responseHostname: string | null
  readonly statusCode: number | null
  readonly reason: string | null
}

const LONGEST_REASON = 200

/** Checks a report. Throws `MP_OPTIONS` that says what is wrong with it. */
export function readReport(target: unknown, verdict: unknown): Report {
  const { isBan, reason, site } = readVerdict(verdict)
  const hostname = site === undefined ? null : hostnameOf(site)
  const about = { isBan, reason, hostname, order: null, responseHostname: null, statusCode: null }
  if (typeof target === 'string' && target !== '') return { ...about, device: target, exitIp: null }
  if (!isObject(target)) throw wrong('the target must be a response, the id or name of a device, or { deviceId, exitIp }')
  if (isObject(target.headers)) return { ...about, ...readResponse(target, target.headers) }
  const { deviceId, exitIp } = target
  if (typeof deviceId !== 'string' || deviceId === '')
    throw wrong('the target needs `deviceId`, a text, or `headers`, as a response has them')
  if (exitIp !== undefined && (typeof exitIp !== 'string' || net.isIP(exitIp) === 0)) throw wrong('`exitIp` must be an IP address')
  return { ...about, device: deviceId, exitIp: exitIp ?? null }
}

function readVerdict(verdict: unknown): { isBan: boolean; reason: string | null; site: unknown } {
  if (!isObject(verdict)) throw wrong('say { banned: true } or { ok: true }')
  const { banned, ok, site, reason } = verdict
  if ((banned === true) === (ok === true)) throw wrong('say either `banned: true` or `ok: true`')
  for (const name of Object.keys(verdict)) {
    if (!['banned', 'ok', 'site', 'reason'].includes(name)) throw wrong(`there is no \`${name}\` in a report`)
  }
  if (reason !== undefined && typeof reason !== 'string') throw wrong('`reason` must be a text')
  return { isBan: banned === true, reason: reason === undefined || reason === '' ? null : reason.slice(0, LONGEST_REASON), site }
}

function readResponse(response: Record<string, unknown>, headers: Record<string, unknown>) {
  const get = (name: string): string | undefined => {
    const value = typeof headers.get === 'function' ? headers.get(name) : headers[name]
    return typeof value === 'string' && value !== '' ? value : undefined
  }
  const device = get('x-mobilepool-device')
  if (device === undefined) {
    throw wrong('the response has no `x-mobilepool-device` header: it did not come through this pool, or `exposeHeaders` is false')
  }
  const { url, status, statusCode } = response
  const code = status ?? statusCode
  return {
    device: decoded(device),
    exitIp: get('x-mobilepool-ip') ?? null,
    order: Number(get('x-mobilepool-request') ?? Number.NaN),
    responseHostname: typeof url === 'string' && URL.canParse(url) ? hostnameOf(url) : null,
    statusCode: typeof code === 'number' ? code : null,
  }
}

function hostnameOf(site: unknown): string {
  const hostname = siteHostname(site)
  if (hostname === null) throw wrong('`site` must be a host name or a URL')
  return hostname
}

function decoded(name: string): string {
  try {
    return decodeURIComponent(name)
  } catch {
    return name
  }
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null

const wrong = (what: string): MobilePoolError => new MobilePoolError('MP_OPTIONS', `pool.report: ${what}`, { phase: 'options' })
