import { z } from 'zod'
import { afterConnectOption } from '../after-connect.ts'
import { interfaceProblem, mobileInterfaceOptions } from '../mobile-interface.ts'

/** Options of the `qmi` driver: a modem that speaks QMI, where no ModemManager runs. */
export const qmiOptions = z
  .strictObject({
    ...mobileInterfaceOptions,
    /** The modem's control port. @default '/dev/cdc-wdm0' */
    device: z
      .string()
      .regex(/^\/\S+$/, 'must be a path, like /dev/cdc-wdm0')
      .max(500)
      .default('/dev/cdc-wdm0'),
    /** Access point of the carrier. */
    apn: z
      .string()
      .min(1)
      .max(100)
      .regex(/^[^,="'\s]+$/, 'may hold no space, comma, quote or "="'),
    /** Program and arguments, run after each connect with what the carrier gave: to set address and routes. */
    afterConnect: afterConnectOption,
    /** The program. @default 'qmicli' */
    qmicli: z.string().min(1).max(500).default('qmicli'),
    /** How long the radio stays off, in ms: the tries of a rotation, in order. @default [5000, 15000, 45000] */
    holdsMs: z.array(z.int().min(0).max(600_000)).min(1).max(10).default([5_000, 15_000, 45_000]),
  })
  .superRefine((options, context) => {
    const problem = interfaceProblem(options)
    if (problem) context.addIssue({ code: 'custom', message: problem })
  })
