import { MobilePool } from '@mobilepool/sdk'
import { request } from 'undici'
import { guardedLookup, guardLiteral, TargetRefused } from './guarded-lookup.ts'
import { Hops } from './hops.ts'

export interface ThroughProxy {
  /** `http:`, `https:` or `socks5:`, with credentials. */
  proxyUrl: string
  /** What is asked for; its name is resolved by the device. */
  url: string
  timeoutMs: number
  maxBytes: number
  signal: AbortSignal
}

/**
 * One GET through a proxy, on a connection of its own; the text of a 200, else null. Never throws: a device that is away while it
 * rotates is no error. The proxy is not dialled where `createSender` would not go.
 */
export async function getThroughProxy({ proxyUrl, url, timeoutMs, maxBytes, signal }: ThroughProxy): Promise<string | null> {
  const stop = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)])
  if (!(await mayDial(new URL(proxyUrl).hostname))) return null
  const pool = new MobilePool({ devices: [proxyUrl], retry: false, timeouts: { connectMs: timeoutMs, firstByteMs: timeoutMs } })
  try {
    const { statusCode, body } = await request(url, { dispatcher: pool.dispatcher, signal: stop, reset: true })
    let text = ''
    for await (const chunk of body) {
      text += String(chunk)
      if (text.length > maxBytes) return null
    }
    return statusCode === 200 ? text : null
  } catch {
    return null
  } finally {
    await pool.destroy()
  }
}

function mayDial(host: string): Promise<boolean> {
  const { guard } = new Hops(true)
  try {
    guardLiteral(host, guard)
  } catch (error) {
    if (error instanceof TargetRefused) return Promise.resolve(false)
    throw error
  }
  const name = host.replace(/^\[(.*)\]$/, '$1')
  return new Promise((resolve) => guardedLookup(guard)(name, {}, (error) => resolve(error === null)))
}
