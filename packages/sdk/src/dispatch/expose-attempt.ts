import type { DeviceFacts } from '../core/device.ts'
import type { Attempt } from './attempt.ts'
import type { ResponseHeaders } from './handlers.ts'

const [DEVICE, IP, ATTEMPTS, REQUEST] = ['x-mobilepool-device', 'x-mobilepool-ip', 'x-mobilepool-attempts', 'x-mobilepool-request'] as const
const RAW_DEVICE = Buffer.from(DEVICE)
const RAW_IP = Buffer.from(IP)
const RAW_ATTEMPTS = Buffer.from(ATTEMPTS)
const RAW_REQUEST = Buffer.from(REQUEST)

/**
 * Adds to a response who answered it: `x-mobilepool-device`, `x-mobilepool-ip` (where it is known), `x-mobilepool-attempts`
 * and `x-mobilepool-request`, the number of the request in this pool.
 * A header of that name from the target is replaced: only the pool knows. Names of any script are percent-encoded, since a header holds Latin-1.
 *
 * It adds to the headers in place: undici makes them anew for every response, and copies would cost more than the whole rest of the pool.
 */
export function exposeAttempt({ device, exitIp }: Attempt, attempts: number, order: number, headers: ResponseHeaders): void {
  headers[DEVICE] = nameOf(device.facts).text
  headers[ATTEMPTS] = String(attempts)
  headers[REQUEST] = String(order)
  if (exitIp !== null) headers[IP] = exitIp
  else if (IP in headers) delete headers[IP]
}

/** The same for raw headers, `[name, value, name, value]` in Buffers; any other shape is returned as it is. */
export function exposeRawAttempt({ device, exitIp }: Attempt, attempts: number, order: number, rawHeaders: unknown): unknown {
  if (!Array.isArray(rawHeaders)) return rawHeaders
  const shown: unknown[] = []
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) if (!isOurs(rawHeaders[i])) shown.push(rawHeaders[i], rawHeaders[i + 1])
  shown.push(RAW_DEVICE, nameOf(device.facts).raw, RAW_ATTEMPTS, latin1(attempts), RAW_REQUEST, latin1(order))
  if (exitIp !== null) shown.push(RAW_IP, Buffer.from(exitIp, 'latin1'))
  return shown
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

/** The length tells nearly all others apart without making a string of them. */
function isOurs(name: unknown): boolean {
  const length = Buffer.isBuffer(name) || typeof name === 'string' ? name.length : 0
  if (length !== DEVICE.length && length !== IP.length && length !== ATTEMPTS.length && length !== REQUEST.length) return false
  const text = String(name).toLowerCase()
  return text === DEVICE || text === IP || text === ATTEMPTS || text === REQUEST
}

const latin1 = (number: number): Buffer => Buffer.from(String(number), 'latin1')
