import { z } from 'zod'

const URL_RULE = 'must be an http:// or https:// URL, like https://provider.example/changeip/{token}'

/** A span as people write it: `30m`, `24h`, `7d`; one minute to 9,999 days. */
export const duration = z.string().regex(/^[1-9]\d{0,3}[mhd]$/, 'must be a whole number of minutes, hours or days, like 30m, 24h or 7d')

/** HTTP method of a rotation URL. */
export const rotationHttpMethod = z.enum(['GET', 'POST', 'PUT'])
/** How a rotation URL is called. */
export type RotationHttpMethod = z.infer<typeof rotationHttpMethod>

/** Placeholders in URL, headers and body: the token, the device's name and its id. */
const withPlaceholders = (text: string): string => text.replaceAll(/\{(?:token|device|device_id)\}/g, 'x')

/** A provider's link that makes the device rotate. `{token}`, `{device}` and `{device_id}` in it are filled in. A secret. */
const rotationUrl = z
  .string()
  .max(2000)
  .refine((text) => URL.canParse(withPlaceholders(text)) && /^https?:$/.test(new URL(withPlaceholders(text)).protocol), URL_RULE)

const rotationHeaders = z
  .record(
    z.string().regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}$/, 'must be a header name'),
    z
      .string()
      .max(1000)
      .regex(/^[\t\x20-\x7e]*$/, 'must be one line of printable ASCII'),
  )
  .refine((headers) => Object.keys(headers).length <= 20, 'may have at most 20 headers')

const pattern = z
  .string()
  .min(1)
  .max(200)
  .refine((text) => {
    try {
      new RegExp(text)
      return true
    } catch {
      return false
    }
  }, 'must be a regular expression')

/** How a device is rotated, as an admin sets it. What is null is left to the hub's own settings. */
export const rotationSettings = {
  /** For `api_call`: what the hub calls. Never shown again. */
  rotation_url: rotationUrl.nullable(),
  /** Fills `{token}`; sent as `Authorization: Bearer` where nothing has that placeholder. Never shown again. */
  rotation_token: z
    .string()
    .min(1)
    .max(1000)
    .regex(/^[\x20-\x7e]*$/, 'must be printable ASCII')
    .nullable(),
  rotation_http_method: rotationHttpMethod,
  /** Never shown again. */
  rotation_headers: rotationHeaders.nullable(),
  /** Sent with POST and PUT. Never shown again. */
  rotation_body: z.string().max(4000).nullable(),
  /** The answer's text must match this regular expression; null: the usual answers of providers are understood. */
  rotation_success_pattern: pattern.nullable(),
  /** Attempts of one rotation; null: ROTATION_ATTEMPTS. */
  rotation_attempts: z.int().min(1).max(20).nullable(),
  /** Seconds between two attempts; null: ROTATION_RETRY_DELAY. */
  rotation_retry_delay: z.int().min(0).max(3600).nullable(),
  /** Seconds that one attempt may take; null: ROTATION_TIMEOUT. */
  rotation_max_time: z.int().min(1).max(3600).nullable(),
  /** Rotate again while the new exit IP was seen within this time. */
  rotation_unique: duration.nullable(),
}

/** The part of them that is no secret. */
export const rotationSettingsShown = z.object({
  rotation_url_set: z.boolean(),
  rotation_token_set: z.boolean(),
  rotation_http_method: rotationHttpMethod,
  rotation_success_pattern: z.string().nullable(),
  rotation_attempts: z.int().nullable(),
  rotation_retry_delay: z.int().nullable(),
  rotation_max_time: z.int().nullable(),
  rotation_unique: duration.nullable(),
})
