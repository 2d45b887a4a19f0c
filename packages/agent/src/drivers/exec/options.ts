import { rotationFailure, rotationMethod, telemetry } from '@mobilepool/sdk/contract'
import { z } from 'zod'
import { interfaceProblem, mobileInterfaceOptions } from '../mobile-interface.ts'

const argument = z.string().max(10_000)

/** A command: program and arguments, run without a shell; or one string, which `/bin/sh -c` runs. */
const command = z.union([z.tuple([argument.min(1)], argument), argument.min(1)], {
  error: 'must be [program, argument, ...], or one string for /bin/sh',
})
export type SiteCommand = z.output<typeof command>

const holdMs = z.int().min(0).max(600_000)

/** Options of the `exec` driver. */
export const execOptions = z
  .strictObject({
    ...mobileInterfaceOptions,
    /** Takes the device off its network; it is off when the command ends. */
    down: command,
    /** Switches everything on that `down` switched off; may be run when it is on already. */
    up: command,
    /** Prints what the device says of itself, as one JSON object (`execStatus`). @default nothing is known of the device */
    status: command.optional(),
    /** Reboots the device; makes the method `device_reboot` possible, at most four times a day. */
    reboot: command.optional(),
    /** What `down` and `up` do, as the hub names it. @default 'reconnect' */
    method: rotationMethod.exclude(['device_reboot', 'api_call']).default('reconnect'),
    /** How long it stays off, in ms: the tries of a rotation, in order. @default [5000, 15000, 45000] */
    holdsMs: z.array(holdMs).min(1).max(10).default([5_000, 15_000, 45_000]),
    /** How long a command may take, in ms; it and its children are killed then. @default 30000 */
    timeoutMs: z.int().min(100).max(120_000).default(30_000),
  })
  .superRefine((options, context) => {
    const problem = interfaceProblem(options)
    if (problem) context.addIssue({ code: 'custom', message: problem })
  })

/** What the status command prints: any of these, names as in the hub's API. */
export const execStatus = telemetry.extend({ is_down: z.boolean().optional() })

/** A command may say why it failed: its last line begins with one of these and a colon. */
export const failureLine = /^([a-z_]+):\s*(.*)$/
export const reasons: ReadonlySet<string> = new Set(rotationFailure.options)
