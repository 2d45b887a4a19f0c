import { z } from 'zod'
import { deviceName } from './names.ts'

/** Devices of one import, at most. */
export const IMPORT_MAX = 10_000

/**
 * What an import is written in: `csv` with a heading line, `json` (a list of devices, or an export), `list` of proxy URLs, `scrapoxy`
 * (a Scrapoxy configuration or its list of proxies).
 */
export const importFormat = z.enum(['csv', 'json', 'list', 'scrapoxy'])
export type ImportFormat = z.infer<typeof importFormat>

/** Bytes of one import, at most: ten thousand lines of proxies are some hundred thousand. */
export const IMPORT_MAX_BYTES = 8_000_000

/** Query of `POST /api/v1/admin/devices/import`; the body is the file as it is. */
export const importQuery = z.object({
  format: importFormat,
  /** Only says what would be done. */
  dry_run: z.stringbool().default(false),
  /** Take what is right although some of it is wrong. Otherwise one wrong line means that nothing is taken. */
  partial: z.stringbool().default(false),
  /** What to do with a name that is a device already: `refuse` it, `skip` it, or `update` the device with what is given. */
  existing: z.enum(['refuse', 'skip', 'update']).default('refuse'),
  /** Names that are made up (of lines that bring none) begin with this. */
  name_prefix: deviceName.max(40).default('proxy'),
})

/** What is wrong, and where: the line of the file (of JSON: the place in the list), both from 1. */
export const importError = z.object({ line: z.int(), name: z.string().nullable(), field: z.string(), message: z.string() })

/**
 * Reply of an import. With `dry_run`, and with errors and without `partial`, nothing is done: `applied` is false, `added` and `updated`
 * are empty, and `would_add` and `would_update` name the devices of the lines that are right. When it is done those are empty.
 */
export const importReply = z.object({
  applied: z.boolean(),
  dry_run: z.boolean(),
  added: z.array(z.string()),
  updated: z.array(z.string()),
  would_add: z.array(z.string()),
  would_update: z.array(z.string()),
  skipped: z.array(z.string()),
  errors: z.array(importError),
})

/** Query of `GET /api/v1/admin/devices/export`. */
export const exportQuery = z.object({
  format: z.enum(['csv', 'json', 'list']).default('csv'),
  /** Whether proxy URLs come with their user and password. `list` needs it: without them it is of no use. */
  credentials: z.stringbool().default(false),
})
