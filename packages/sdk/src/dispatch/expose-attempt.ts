import type { Attempt } from './attempt.ts'
import type { ResponseHeaders } from './handlers.ts'

/**
 * Adds to a response who answered it: `x-mobilepool-device`, `x-mobilepool-ip` (where it is known) and `x-mobilepool-attempts`.
 * A header of that name from the target is replaced: only the pool knows. Names of any script are percent-encoded, since a header holds Latin-1.
 */
export function exposeAttempt(
  attempt: Attempt,
  attempts: number,
  headers: ResponseHeaders,
  rawHeaders: unknown,
): { headers: ResponseHeaders; rawHeaders: unknown } {
  const ours: Record<string, string> = {
    'x-mobilepool-device': encodeURIComponent(attempt.device.facts.name),
    ...(attempt.exitIp === null ? {} : { 'x-mobilepool-ip': attempt.exitIp }),
    'x-mobilepool-attempts': String(attempts),
  }
  const raw: unknown[] = []
  if (Array.isArray(rawHeaders)) {
    for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
      if (!isOurs(String(rawHeaders[i]).toLowerCase())) raw.push(rawHeaders[i], rawHeaders[i + 1])
    }
  }
  for (const [name, value] of Object.entries(ours)) raw.push(Buffer.from(name, 'latin1'), Buffer.from(value, 'latin1'))
  const { 'x-mobilepool-device': _device, 'x-mobilepool-ip': _ip, 'x-mobilepool-attempts': _attempts, ...theirs } = headers
  return { headers: { ...theirs, ...ours }, rawHeaders: raw }
}

const isOurs = (name: string): boolean => name === 'x-mobilepool-device' || name === 'x-mobilepool-ip' || name === 'x-mobilepool-attempts'
