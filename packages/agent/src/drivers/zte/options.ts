import { z } from 'zod'
import { interfaceProblem } from '../mobile-interface.ts'
import { stickOptions, stickUrl } from '../stick-options.ts'

/** Options of the `zte` driver (MF79U, MF823, MF833 ... with goform pages). */
export const zteOptions = z
  .strictObject({
    ...stickOptions,
    /** The stick's web page. @default 'http://192.168.0.1' */
    url: stickUrl('http://192.168.0.1'),
  })
  .superRefine((options, context) => {
    const problem = interfaceProblem(options)
    if (problem) context.addIssue({ code: 'custom', message: problem })
  })
