import { z } from 'zod'
import { interfaceProblem, mobileInterfaceOptions } from '../mobile-interface.ts'

/** Options of the `android-adb` driver: a phone on this host's USB, or in its network, whose traffic comes here by tethering. */
export const androidAdbOptions = z
  .strictObject({
    ...mobileInterfaceOptions,
    /** As `adb devices` shows it: a serial number, or host:port of a phone in the network. @default the only phone that there is */
    serial: z
      .string()
      .regex(/^[\w.:-]{1,100}$/, 'must be a serial number or host:port, as "adb devices" shows it')
      .optional(),
    /** The program. @default 'adb' */
    adb: z.string().min(1).max(500).default('adb'),
    /** Port of the adb server, where that is not the usual one. @default 5037, or ANDROID_ADB_SERVER_PORT */
    adbPort: z.int().min(1).max(65_535).optional(),
    /** Switches USB tethering on again after a reboot: the name of the function, `rndis` or `ncm`. @default nothing is switched */
    tethering: z.enum(['rndis', 'ncm']).optional(),
    /** How long it stays off, in ms: the tries of a rotation, in order. @default [5000, 15000, 45000] */
    holdsMs: z.array(z.int().min(0).max(600_000)).min(1).max(10).default([5_000, 15_000, 45_000]),
  })
  .superRefine((options, context) => {
    const problem = interfaceProblem(options)
    if (problem) context.addIssue({ code: 'custom', message: problem })
  })
