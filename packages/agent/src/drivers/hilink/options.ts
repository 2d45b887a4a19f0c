import { z } from 'zod'
import { interfaceProblem } from '../mobile-interface.ts'
import { stickOptions, stickUrl } from '../stick-options.ts'

/** Options of the `hilink` driver (Huawei E3372h, E8372, E5573 ... in HiLink mode). */
export const hilinkOptions = z
  .strictObject({
    ...stickOptions,
    /** The stick's web page. @default 'http://192.168.8.1' */
    url: stickUrl('http://192.168.8.1'),
    /** @default 'admin' */
    username: z.string().min(1).max(100).default('admin'),
  })
  .superRefine((options, context) => {
    const problem = interfaceProblem(options)
    if (problem) context.addIssue({ code: 'custom', message: problem })
  })

export type HilinkOptions = z.output<typeof hilinkOptions>
