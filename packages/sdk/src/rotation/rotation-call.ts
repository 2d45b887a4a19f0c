/// <reference path="../dispatch/undici-deep.d.ts" />
import { request } from 'undici/lib/api/index.js'
import Agent from 'undici/lib/dispatcher/agent.js'
import type { RotationFailure, RotationTrigger } from '../contract/index.ts'
import { directConnector } from '../direct-connector.ts'

/** What a rotation function gets. */
export interface RotationContext {
  /** Which device is to rotate: by it one function can serve several. */
  readonly deviceId: string
  /** What asked for the rotation. */
  readonly trigger: RotationTrigger
  /** Aborted when the call has taken too long. */
  readonly signal: AbortSignal
}

/** Makes a device rotate; resolves with the new exit IP where the call knows it, else null. */
export type RotationCall = (context: RotationContext) => Promise<string | null>

/** The call failed in a way that has a name. */
export class RotationCallError extends Error {
  readonly reason: RotationFailure

  constructor(reason: RotationFailure, message: string) {
    super(message)
    this.reason = reason
  }
}

const CONNECT_TIMEOUT_MS = 10_000

const reasons: Readonly<Record<number, RotationFailure>> = {
  401: 'auth_failed',
  403: 'auth_failed',
  409: 'busy',
  423: 'busy',
  429: 'too_soon',
}

/**
 * A rotation URL, as modem boxes and providers have them: a GET that answers 2xx when it has been accepted. That answer proves
 * nothing of the exit IP. The URL is often the credential itself, so no message names more of it than its host.
 */
export function rotationUrlCall(url: URL): RotationCall {
  return async ({ signal }) => {
    const agent = new Agent({ connect: directConnector({ timeoutMs: CONNECT_TIMEOUT_MS, keepsProcessAlive: true }) })
    try {
      const { username, password, origin, pathname, search, host } = url
      const credentials = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`
      const headers = credentials === ':' ? {} : { authorization: `Basic ${Buffer.from(credentials).toString('base64')}` }
      const { statusCode, body } = await request
        .call(agent, { origin, path: pathname + search, method: 'GET', headers, signal })
        .catch((error: unknown) => {
          if (signal.aborted) throw new RotationCallError('deadline_exceeded', `the rotation URL at ${host} did not answer in time`)
          const code = error instanceof Error && 'code' in error ? String(error.code) : 'failed'
          throw new RotationCallError('device_unreachable', `the rotation URL at ${host} cannot be reached (${code})`)
        })
      await body.dump()
      if (statusCode < 300) return null
      throw new RotationCallError(reasons[statusCode] ?? 'device_unreachable', `the rotation URL at ${host} answered ${statusCode}`)
    } finally {
      await agent.destroy()
    }
  }
}
