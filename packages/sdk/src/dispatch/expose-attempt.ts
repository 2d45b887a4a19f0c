import type { DeviceFacts } from '../core/device.ts'
import type { Attempt } from './attempt.ts'
import type { ResponseHeaders } from './handlers.ts'

const [DEVICE, IP, ATTEMPTS] = ['x-mobilepool-device', 'x-mobilepool-ip', 'x-mobilepool-attempts'] as const
const RAW_DEVICE = Buffer.from(DEVICE)
const RAW_IP = Buffer.from(IP)
const RAW_ATTEMPTS = Buffer.from(ATTEMPTS)

/**
 * Adds to a response who answered it: `x-mobilepool-device`, `x-mobilepool-ip` (where it is known) and `x-mobilepool-attempts`.
 * A header of that name from the target is replaced: only the pool knows. Names of any script are percent-encoded, since a header holds Latin-1.
 *
 * It adds to the headers in place: undici makes them anew for every response, and copies would cost more than the whole rest of the pool.
 * Raw headers of any other shape than undici's array are left as they are. Returns the raw headers to show.
 */
export function exposeAttempt({ device, exitIp }: Attempt, attempts: number, headers: ResponseHeaders, rawHeaders: unknown): unknown {
  const isForged = DEVICE in headers || IP in headers || ATTEMPTS in headers
  const raw = Array.isArray(rawHeaders) && isForged ? withoutOurs(rawHeaders) : rawHeaders
  const name = nameOf(device.facts)
  headers[DEVICE] = name.text
  headers[ATTEMPTS] = String(attempts)
  if (exitIp !== null) headers[IP] = exitIp
  else if (isForged) delete headers[IP]
  if (!Array.isArray(raw)) return raw
  raw.push(RAW_DEVICE, name.raw, RAW_ATTEMPTS, Buffer.from(String(attempts), 'latin1'))
  if (exitIp !== null) raw.push(RAW_IP, Buffer.from(exitIp, 'latin1'))
  return raw
}

interface ShownName {
  readonly text: string
  readonly raw: Buffer
}

const shownNames = new WeakMap<DeviceFacts, ShownName>()

function nameOf(facts: DeviceFacts): ShownName {
  const known = shownNames.get(facts)
  if (known !== undefined) return known
  const text = encodeURIComponent(facts.name)
  const shown = { text, raw: Buffer.from(text, 'latin1') }
  shownNames.set(facts, shown)
  return shown
}

function withoutOurs(raw: readonly unknown[]): unknown[] {
  const kept: unknown[] = []
  for (let i = 0; i + 1 < raw.length; i += 2) if (!isOurs(String(raw[i]).toLowerCase())) kept.push(raw[i], raw[i + 1])
  return kept
}

const isOurs = (name: string): boolean => name === DEVICE || name === IP || name === ATTEMPTS
