import { z } from 'zod'
import { interfaceProblem, mobileInterfaceOptions } from '../mobile-interface.ts'

/** Options of the `hilink` driver (Huawei E3372h, E8372, E5573 ... in HiLink mode). */
export const hilinkOptions = z
  .strictObject({
    ...mobileInterfaceOptions,
    /** The stick's web page. @default 'http://192.168.8.1' */
    url: z.url({ protocol: /^http$/, error: 'must be like http://192.168.8.1' }).default('http://192.168.8.1'),
    /** @default 'admin' */
    username: z.string().min(1).max(100).default('admin'),
    /** Needed where the stick asks for a login; without one it is better to switch its login off. */
    password: z.string().min(1).max(200).optional(),
    /** How long data stays off, in ms: the tries of a rotation, in order. @default [6000, 15000, 40000] */
    holdsMs: z.array(z.int().min(0).max(600_000)).min(1).max(10).default([6_000, 15_000, 40_000]),
    /** One request to the stick, in ms. @default 5000 */
    timeoutMs: z.int().min(100).max(30_000).default(5_000),
  })
  .superRefine((options, context) => {
    const problem = interfaceProblem(options)
    if (problem) context.addIssue({ code: 'custom', message: problem })
  })

export type HilinkOptions = z.output<typeof hilinkOptions>
