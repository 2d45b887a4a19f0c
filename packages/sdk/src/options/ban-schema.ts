import { types } from 'node:util'
import { z } from 'zod'
import type { Pattern } from '../bans/ban-rule.ts'
import { presetNames } from '../bans/presets/names.ts'
import { count, ms, status } from './numbers.ts'
import { poolDefaults } from './pool-options.ts'

const defaults = poolDefaults.ban

const pattern = z.custom<Pattern>(
  (value) => (typeof value === 'string' && value !== '') || types.isRegExp(value),
  'must be a text to look for, or a RegExp',
)
const oneOrMore = <Item extends z.ZodType>(item: Item) => z.preprocess((value) => (Array.isArray(value) ? value : [value]), z.array(item))
const patterns = oneOrMore(pattern).prefault([])
/** A token of RFC 9110, 5.6.2. */
const headerName = z.string().regex(/^[!#$%&'*+.^_`|~0-9a-z-]+$/i, 'is not the name of a header')
const headers = z.record(headerName, pattern, {
  error: ({ code }) => (code === 'invalid_key' ? 'is not the name of a header' : 'must be an object: names of headers and what they match'),
})
const host = z
  .string('must be a host name, e.g. example.com')
  .regex(/^(?=.{1,253}$)[^\s/:@?#*]+$|^[0-9a-f]*:[0-9a-f:.]+$/i, 'must be a host name, e.g. example.com, without scheme, port or path')

const rule = z
  .strictObject({
    name: z.string('must be a text').min(1, 'is empty').max(200, 'must be at most 200 characters'),
    status: oneOrMore(status).optional(),
    headers: headers.optional(),
    location: pattern.optional(),
    body: pattern.optional(),
    hosts: z.array(host).min(1, 'is empty: leave it out for all').optional(),
  })
  .refine(({ status, headers = {}, location, body }) => status ?? location ?? body ?? Object.keys(headers)[0], {
    error: 'needs at least one of `status`, `headers`, `location`, `body`',
  })

const contentType = z
  .string('must be a media type')
  .regex(/^[^\s/;,]+\/[^\s/;,]+$/, 'must be a media type like text/html, or text/* for all of a kind')
  .toLowerCase()

/** What `BanOptions` says, as a schema. */
export const banOptions = z.strictObject({
  statuses: z.array(status).default([...defaults.statuses]),
  headers: headers.default({}),
  location: patterns,
  body: patterns,
  presets: z
    .union(
      [z.literal('all'), z.array(z.enum(presetNames, `must be one of: ${presetNames.join(', ')}`))],
      "must be 'all' or a list of presets",
    )
    .default([]),
  rules: z.array(rule, 'must be a list of rules').default([]),
  inspect: z
    .strictObject({
      bytes: count(1, 65_536).default(defaults.inspect.bytes),
      maxWaitMs: ms().default(defaults.inspect.maxWaitMs),
      contentTypes: z
        .array(contentType)
        .min(1, 'is empty: leave it out for the usual ones')
        .default([...defaults.inspect.contentTypes]),
    })
    .prefault({}),
  quarantineMs: ms().default(defaults.quarantineMs),
})
