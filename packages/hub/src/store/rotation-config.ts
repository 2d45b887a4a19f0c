import type { RotationHttpMethod } from '@mobilepool/sdk/contract'
import type { Seal } from './seal.ts'

/** How a device is rotated, as an admin set it; null: as the hub's own settings say. */
export interface RotationConfig {
  /** What the hub calls for `api_call`, placeholders included. A secret. */
  rotationUrl: string | null
  /** A secret. */
  rotationToken: string | null
  rotationHttpMethod: RotationHttpMethod
  /** A secret. */
  rotationHeaders: Record<string, string> | null
  /** A secret. */
  rotationBody: string | null
  /** Regular expression that a good answer matches. */
  rotationSuccessPattern: string | null
  rotationAttempts: number | null
  /** Seconds. */
  rotationRetryDelay: number | null
  /** Seconds, for one attempt. */
  rotationMaxTime: number | null
  /** `24h`: the new exit IP must not have been seen for so long. */
  rotationUnique: string | null
}

export const noRotationConfig: RotationConfig = {
  rotationUrl: null,
  rotationToken: null,
  rotationHttpMethod: 'GET',
  rotationHeaders: null,
  rotationBody: null,
  rotationSuccessPattern: null,
  rotationAttempts: null,
  rotationRetryDelay: null,
  rotationMaxTime: null,
  rotationUnique: null,
}

/** That part of a device's settings. */
export const rotationConfigOf = (device: RotationConfig): RotationConfig => ({
  rotationUrl: device.rotationUrl,
  rotationToken: device.rotationToken,
  rotationHttpMethod: device.rotationHttpMethod,
  rotationHeaders: device.rotationHeaders,
  rotationBody: device.rotationBody,
  rotationSuccessPattern: device.rotationSuccessPattern,
  rotationAttempts: device.rotationAttempts,
  rotationRetryDelay: device.rotationRetryDelay,
  rotationMaxTime: device.rotationMaxTime,
  rotationUnique: device.rotationUnique,
})

/** The same as columns of `rotation_config`; secrets sealed under the device's id and the column's name. */
export interface RotationConfigColumns {
  rotation_url: string | null
  auth_token: string | null
  rotation_http_method: RotationHttpMethod
  rotation_headers: string | null
  rotation_body: string | null
  rotation_success_pattern: string | null
  rotation_attempts: number | null
  rotation_retry_delay: number | null
  rotation_max_time: number | null
  rotation_unique: string | null
}

export const rotationConfigColumns = [
  'c.rotation_url',
  'c.auth_token',
  'c.rotation_http_method',
  'c.rotation_headers',
  'c.rotation_body',
  'c.rotation_success_pattern',
  'c.rotation_attempts',
  'c.rotation_retry_delay',
  'c.rotation_max_time',
  'c.rotation_unique',
] as const

export function toRotationColumns(device: RotationConfig & { id: string }, seal: Seal): RotationConfigColumns {
  const sealed = (text: string | null, column: string): string | null => (text === null ? null : seal.close(text, `${device.id} ${column}`))
  return {
    rotation_url: sealed(device.rotationUrl, 'rotation_url'),
    auth_token: sealed(device.rotationToken, 'auth_token'),
    rotation_http_method: device.rotationHttpMethod,
    rotation_headers: sealed(device.rotationHeaders && JSON.stringify(device.rotationHeaders), 'rotation_headers'),
    rotation_body: sealed(device.rotationBody, 'rotation_body'),
    rotation_success_pattern: device.rotationSuccessPattern,
    rotation_attempts: device.rotationAttempts,
    rotation_retry_delay: device.rotationRetryDelay,
    rotation_max_time: device.rotationMaxTime,
    rotation_unique: device.rotationUnique,
  }
}

export function fromRotationColumns(row: RotationConfigColumns, id: string, seal: Seal): RotationConfig {
  const opened = (text: string | null, column: string): string | null => (text === null ? null : seal.open(text, `${id} ${column}`))
  const headers = opened(row.rotation_headers, 'rotation_headers')
  return {
    rotationUrl: opened(row.rotation_url, 'rotation_url'),
    rotationToken: opened(row.auth_token, 'auth_token'),
    rotationHttpMethod: row.rotation_http_method,
    rotationHeaders: headers === null ? null : (JSON.parse(headers) as Record<string, string>),
    rotationBody: opened(row.rotation_body, 'rotation_body'),
    rotationSuccessPattern: row.rotation_success_pattern,
    rotationAttempts: row.rotation_attempts,
    rotationRetryDelay: row.rotation_retry_delay,
    rotationMaxTime: row.rotation_max_time,
    rotationUnique: row.rotation_unique,
  }
}
