import { z } from 'zod'
import { afterConnectOption } from '../after-connect.ts'
import { interfaceProblem, mobileInterfaceOptions } from '../mobile-interface.ts'

/** A value of mmcli's `key=value,key=value`. */
const value = z
  .string()
  .min(1)
  .max(100)
  .regex(/^[^,="'\s]+$/, 'may hold no space, comma, quote or "="')

/** Options of the `modemmanager` driver. */
export const modemManagerOptions = z
  .strictObject({
    ...mobileInterfaceOptions,
    /** The modem's IMEI, or its `device` path as `mmcli -m any` shows it. @default the only modem that there is */
    modem: z.string().min(1).max(500).optional(),
    /** Access point of the carrier. */
    apn: value,
    /** @default 'ipv4' */
    ipType: z.enum(['ipv4', 'ipv6', 'ipv4v6']).default('ipv4'),
    /** Lets it connect in foreign networks. @default true */
    allowRoaming: z.boolean().default(true),
    /** Program and arguments, run after each connect with what the carrier gave: to set address and routes where no NetworkManager does. */
    afterConnect: afterConnectOption,
    /** The program. @default 'mmcli' */
    mmcli: z.string().min(1).max(500).default('mmcli'),
    /** How long the radio stays off, in ms: the tries of a rotation, in order. @default [5000, 15000, 45000] */
    holdsMs: z.array(z.int().min(0).max(600_000)).min(1).max(10).default([5_000, 15_000, 45_000]),
  })
  .superRefine((options, context) => {
    const problem = interfaceProblem(options)
    if (problem) context.addIssue({ code: 'custom', message: problem })
  })
