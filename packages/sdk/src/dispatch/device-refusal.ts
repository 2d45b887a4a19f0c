import type { MobilePoolError } from '../errors.ts'
import { ProxyError, type ReplyCode } from '../proxy-server/index.ts'
import { type DeviceLink, linkError } from './connect-device.ts'
import { wordOf } from './device-says.ts'

/** What a device of ours did not connect for, as it said itself. */
export interface SaidRefusal {
  readonly code: ReplyCode
  readonly statusCode: number
  /** Its own sentence, where it came with one. */
  readonly detail?: string
}

/** The error of a connection that a device of ours refused; its `cause` keeps the device's own code. */
export function deviceRefusal(link: DeviceLink, authority: string, { code, statusCode, detail }: SaidRefusal): MobilePoolError {
  const kind = wordOf(code)?.kind
  const cause = new ProxyError(code, detail ?? code)
  if (kind === 'draining')
    return linkError(link, 'MP_DEVICE_DRAINING', 'tunnel', 'takes no requests now: it is about to rotate, or full', { statusCode, cause })
  if (kind === 'device_offline')
    return linkError(link, 'MP_DEVICE_OFFLINE', 'tunnel', detail ?? 'has no mobile connection', { statusCode, cause })
  const why = detail === undefined ? '' : `: ${detail}`
  return linkError(link, 'MP_TUNNEL_REFUSED', 'tunnel', `answered CONNECT ${authority} with ${statusCode}${why}`, { statusCode, cause })
}
