import { z } from 'zod'
import { interfaceProblem, mobileInterfaceOptions } from '../mobile-interface.ts'

/** A provider's answers are quoted without these; shorter ones are words like `api`. */
const SECRET_LENGTH = 6

const pattern = z
  .string()
  .min(1)
  .max(500)
  .refine((text) => isRegExp(text), 'must be a regular expression')

/** Options of the `http-link` driver: the rotation link of a provider or of a modem box. */
export const httpLinkOptions = z
  .strictObject({
    ...mobileInterfaceOptions,
    /** The link; it is a secret, as whoever has it can rotate the device. A user name and password in it are sent as Basic credentials. */
    url: z.url({ protocol: /^https?$/, error: 'must be an http or https URL' }),
    /** @default 'GET' */
    method: z.enum(['GET', 'POST']).default('GET'),
    /** Sent with the call, e.g. `Authorization`; secrets as well. */
    headers: z.record(z.string().regex(/^[\w-]+$/, 'must be a header name'), z.string().max(2_000)).default({}),
    /** Body of a POST. */
    body: z.string().max(10_000).optional(),
    /** Regular expression that a good answer matches. @default the usual answers of providers */
    successPattern: pattern.optional(),
    /** How long the device may take to change after a good answer, in ms, before the exit IP is looked at. @default [20000] */
    holdsMs: z.array(z.int().min(0).max(600_000)).min(1).max(5).default([20_000]),
    /** How long the answer may take, in ms. @default 45000 */
    timeoutMs: z.int().min(100).max(300_000).default(45_000),
    /** Least time between two calls, in ms; a second call waits for it. @default 60000 */
    minIntervalMs: z.int().min(0).max(3_600_000).default(60_000),
  })
  .superRefine((options, context) => {
    const problem = interfaceProblem(options)
    if (problem) context.addIssue({ code: 'custom', message: problem })
    if (options.body !== undefined && options.method === 'GET')
      context.addIssue({ code: 'custom', path: ['body'], message: 'needs method POST' })
  })

export type HttpLinkOptions = z.output<typeof httpLinkOptions>

/** What of the options must not be in a message, the longest first. */
export function secretsOf({ url, headers, body }: HttpLinkOptions): readonly string[] {
  const { username, password, pathname, search, searchParams } = new URL(url)
  const parts = [
    username,
    password,
    ...pathname.split('/'),
    search.slice(1),
    ...searchParams.values(),
    ...Object.values(headers),
    body ?? '',
  ]
  const decoded = parts.flatMap((part) => [part, decode(part)])
  return [...new Set(decoded)].filter((part) => part.length >= SECRET_LENGTH).sort((a, b) => b.length - a.length)
}

const decode = (text: string): string => {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

const isRegExp = (text: string): boolean => {
  try {
    new RegExp(text)
    return true
  } catch {
    return false
  }
}
