import { z } from 'zod'

const offMs = z.int().min(1_000).max(120_000).default(5_000)
const usbPath = z.string().regex(/^\d+-\d+(\.\d+)*$/, 'must be a place on the USB, like 1-1.4, as in /sys/bus/usb/devices')

/** How a device's power is switched; by `kind`. */
export const powerOptions = z.discriminatedUnion(
  'kind',
  [
    /** The port of a hub that switches power port by port. */
    z.strictObject({
      kind: z.literal('uhubctl'),
      /** The hub, as uhubctl shows it. */
      hub: z.string().regex(/^\d+(-\d+(\.\d+)*)?$/, 'must be a hub as uhubctl shows it, like 1-1.4'),
      port: z.int().min(1).max(64),
      /** How long it is without power, in ms. @default 5000 */
      offMs,
      /** The program. @default 'uhubctl' */
      uhubctl: z.string().min(1).max(500).default('uhubctl'),
    }),
    /** The device is taken off the USB and given back to it, with its power on. */
    z.strictObject({
      kind: z.literal('usb-reset'),
      device: usbPath,
      offMs,
      /** Where the kernel shows its devices. @default '/sys' */
      sysfsRoot: z.string().startsWith('/', 'must be a folder').max(500).default('/sys'),
    }),
    /** A relay, a GPIO: the site's own commands, without a shell. */
    z.strictObject({
      kind: z.literal('exec'),
      off: z.array(z.string().max(10_000)).min(1, 'must be [program, argument, ...]').max(100),
      on: z.array(z.string().max(10_000)).min(1, 'must be [program, argument, ...]').max(100),
      offMs,
    }),
  ],
  { error: (issue) => (issue.code === 'invalid_union' ? 'must be one of: uhubctl, usb-reset, exec' : undefined) },
)
export type PowerOptions = z.output<typeof powerOptions>
