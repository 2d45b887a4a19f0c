import { type AttemptKind, type AttemptReport, MobilePoolError, type MobilePoolErrorCode, type Phase } from '../errors.ts'
import { errnoOf } from './connect-device.ts'
import type { DeviceAttempt } from './device-attempt.ts'

/** The error of an attempt that ended without a response, from undici's or the socket's. */
function noResponseError(attempt: DeviceAttempt, cause: Error): MobilePoolError {
  switch (attempt.kind) {
    case 'response_timeout':
      return at(attempt, 'MP_RESPONSE_TIMEOUT', 'response', 'no response in time', cause)
    case 'device_connect':
      return deviceConnectError(attempt, cause)
    default:
      return at(attempt, 'MP_NO_RESPONSE', 'request', 'the connection ended before a response came', cause)
  }
}

/** What is told of an attempt that was taken for this, after this error. */
export function lastErrorOf(attempt: DeviceAttempt, kind: AttemptKind, error: Error): MobilePoolError {
  if (error instanceof MobilePoolError) return error
  return kind === 'response_broken' ? brokenResponseError(attempt, error) : noResponseError(attempt, error)
}

/** The status that came with the error, if one did. */
export const statusOf = (error: Error): { statusCode?: number } =>
  error instanceof MobilePoolError && error.statusCode !== undefined ? { statusCode: error.statusCode } : {}

/** The error of a connection to the device that never came to be of use. */
export const deviceConnectError = (attempt: DeviceAttempt, cause: Error): MobilePoolError =>
  at(attempt, 'MP_DEVICE_CONNECT', 'connect', 'the connection could not be used', cause)

/** The error of a response that ended too early. */
export const brokenResponseError = (attempt: DeviceAttempt, cause: Error): MobilePoolError =>
  at(attempt, 'MP_RESPONSE_BROKEN', 'body', 'the response broke off in its body', cause)

/** The error that an answer of the device's own proxy stands for. */
export function deviceWordError({ device, deviceId, kind, statusCode }: AttemptReport): MobilePoolError {
  const details = { phase: 'response' as const, deviceId, ...(statusCode === undefined ? {} : { statusCode }) }
  switch (kind) {
    case 'draining':
      return new MobilePoolError('MP_DEVICE_DRAINING', `device ${device}: takes no requests now: it is about to rotate, or full`, details)
    case 'device_offline':
      return new MobilePoolError('MP_DEVICE_OFFLINE', `device ${device}: has no mobile connection`, details)
    case 'device_auth':
      return new MobilePoolError(
        'MP_DEVICE_AUTH',
        `device ${device}: wants other proxy credentials (407): check the user and password in its URL`,
        details,
      )
    default:
      return new MobilePoolError('MP_TUNNEL_REFUSED', `device ${device}: could not reach the target (${statusCode})`, details)
  }
}

/** The error as the caller gets it: with every attempt, and as `MP_RETRIES_EXHAUSTED` when there were several. */
export function finalError(error: Error, host: string, attempts: readonly AttemptReport[]): Error {
  if (!(error instanceof MobilePoolError)) return error
  if (attempts.length < 2) return withAttempts(error, attempts)
  const list = attempts.map(({ device, kind, statusCode: status, errno: no }) =>
    [device, kind, status, no].filter((part) => part !== undefined).join(' '),
  )
  const message = `gave up on ${host} after ${attempts.length} attempts: ${list.join('; ')}. The last: ${error.message}`
  return new MobilePoolError('MP_RETRIES_EXHAUSTED', message, {
    phase: error.phase,
    attempts,
    cause: error,
    ...given({ deviceId: error.deviceId }),
  })
}

/** The same error, with the attempts that came before it. */
export function withAttempts(error: MobilePoolError, attempts: readonly AttemptReport[]): MobilePoolError {
  const { code, message, phase, cause, deviceId, statusCode, errno, retryAfterMs, until } = error
  return new MobilePoolError(code, message, { phase, attempts, cause, ...given({ deviceId, statusCode, errno, retryAfterMs, until }) })
}

function at({ device }: DeviceAttempt, code: MobilePoolErrorCode, phase: Phase, what: string, cause: Error): MobilePoolError {
  return new MobilePoolError(code, `device ${device.facts.name}: ${what} (${cause.message})`, {
    phase,
    deviceId: device.id,
    cause,
    ...given({ errno: errnoOf(cause) }),
  })
}

/** The fields that are there: `exactOptionalPropertyTypes` tells `undefined` from absent. */
function given<T extends object>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>
  }
}
