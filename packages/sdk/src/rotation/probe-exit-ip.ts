/// <reference path="../dispatch/undici-deep.d.ts" />
import net from 'node:net'
import { request } from 'undici/lib/api/index.js'
import type { CarriedHandler } from '../dispatch/connections.ts'
import type { DispatchOptions } from '../dispatch/handlers.ts'
import { targetOf } from '../dispatch/target.ts'
import type { Transport } from '../dispatch/transport.ts'

/** An echo answers in a few bytes; more is some other page. */
const LONGEST_ECHO = 4_096

/**
 * Asks an echo URL through the device which address it sees: the reply is the address as text, or JSON with a field `ip`.
 * A connection of its own each time, since a kept one would still show the address from before a rotation.
 * Throws when the echo cannot be reached or says something else.
 */
export async function probeExitIp(transport: Transport, echoUrl: URL, timeoutMs: number): Promise<string> {
  const dispatcher = {
    dispatch(options: object, handler: object): boolean {
      const request = options as DispatchOptions
      const target = targetOf(request)
      if (target !== undefined) transport.dispatch(request, target, transport.usesAbsoluteForm(request, target), handler as CarriedHandler)
      return true
    },
  }
  const reply = await request.call(dispatcher, {
    origin: echoUrl.origin,
    path: echoUrl.pathname + echoUrl.search,
    method: 'GET',
    reset: true,
    signal: AbortSignal.timeout(timeoutMs),
  })
  let text = ''
  for await (const chunk of reply.body) {
    text += chunk.toString()
    if (text.length > LONGEST_ECHO) break
  }
  const address = readAddress(text)
  if (reply.statusCode !== 200 || address === undefined) throw new Error(`${echoUrl.origin} answered ${reply.statusCode} and no address`)
  return address
}

/** The address in an echo's reply. An IPv4 address that came as IPv6 (`::ffff:1.2.3.4`) is shown as IPv4. */
export function readAddress(text: string): string | undefined {
  const trimmed = text.trim()
  const said = trimmed.startsWith('{') ? ipField(trimmed) : trimmed
  const plain = said?.replace(/^::ffff:(?=\d+\.)/i, '')
  return plain !== undefined && net.isIP(plain) !== 0 ? plain : undefined
}

function ipField(json: string): string | undefined {
  try {
    const { ip } = JSON.parse(json) as { ip?: unknown }
    return typeof ip === 'string' ? ip : undefined
  } catch {
    return undefined
  }
}
