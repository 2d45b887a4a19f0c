import { z } from 'zod'
import { interfaceProblem, mobileInterfaceOptions } from '../mobile-interface.ts'

/** Options of the `at` driver. */
export const atOptions = z
  .strictObject({
    ...mobileInterfaceOptions,
    /** The modem's AT port. Its name under /dev/serial/by-path stays when the modem resets; `ttyUSB2` may become another port. */
    port: z.string().startsWith('/', 'must be the path of a serial port, like /dev/serial/by-path/...'),
    /** Speed of the line; USB modems do not care. @default 115200 */
    baudRate: z.int().min(1_200).max(4_000_000).default(115_200),
    /** The PDP context that carries the device's traffic. @default 1 */
    contextId: z.int().min(1).max(16).default(1),
    /** Sent when the modem is registered again, where it does not connect by itself, like `AT$QCRMCALL=1,1` or `AT+QNETDEVCTL=1,1,1`. */
    dial: z
      .string()
      .max(200)
      .regex(/^AT[\x20-\x7e]+$/, 'must be one AT command')
      .refine((command) => !/^ATD/i.test(command), 'must not be ATD: it makes the port a data line, which takes no more commands')
      .optional(),
    /** How long the radio stays off, in ms: the tries of a rotation, in order. @default [5000, 15000, 45000] */
    holdsMs: z.array(z.int().min(0).max(600_000)).min(1).max(10).default([5_000, 15_000, 45_000]),
  })
  .superRefine((options, context) => {
    const problem = interfaceProblem(options)
    if (problem) context.addIssue({ code: 'custom', message: problem })
  })
