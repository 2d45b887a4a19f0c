import { z } from 'zod'

/** Longest device name: the width of `proxy_heartbeat.name` in the Korean specification. */
export const DEVICE_NAME_MAX = 100

/**
 * A device's name, as a crontab line sends it (`name=$(hostname)`): letters of any script with their combining marks (`दिल्ली-01`), digits,
 * `.`, `_`, `-`; begins with a letter or digit. Composed and decomposed spellings (macOS sends the latter) are one name: NFC.
 * Nothing in it needs escaping in a log line, a CSV cell or a proxy user name.
 */
export const deviceName = z
  .string({ error: (issue) => (issue.input === undefined ? 'is missing: give the device a name, e.g. ?name=phone-07' : 'must be text') })
  .normalize('NFC')
  .min(1, 'is empty: give the device a name, e.g. ?name=phone-07')
  .max(DEVICE_NAME_MAX, `is longer than ${DEVICE_NAME_MAX} characters`)
  .regex(/^[\p{L}\p{N}][\p{L}\p{M}\p{N}._-]*$/u, 'may hold only letters, digits, ".", "_" and "-", and begins with a letter or digit')

/** A UUID or a name, as `{id}` in a path. */
export const deviceRef = z.union([z.uuid(), deviceName])

/** An IPv4 or IPv6 address without port or zone. */
export const ipAddress = z.union([z.ipv4(), z.ipv6()], { error: 'must be an IPv4 or IPv6 address' })

/** ISO 8601, UTC: `2025-08-08T05:23:08.287Z`. */
export const timestamp = z.iso.datetime()

/** Text that labels a device (operator, region, tag): printable, trimmed, at most 100 characters. */
export const label = z
  .string()
  .trim()
  .min(1)
  .max(100)
  .regex(/^\P{C}*$/u, 'may not hold control characters')
