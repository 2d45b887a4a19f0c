import type { LoginReplyJson } from '@mobilepool/sdk/contract'
import { readBounded } from './bounded-body.ts'
import { readDetail } from './problem-detail.ts'

/** Who is logged in. */
export interface SessionUser {
  readonly username: string
  /** May change the fleet. */
  readonly isAdmin: boolean
}

/** Why somebody is not logged in. */
export type LoginProblem =
  | { readonly kind: 'unreachable' }
  /** User name or password is wrong. */
  | { readonly kind: 'wrong' }
  /** Anything else; `detail` is the hub's own sentence, if it gave one. */
  | { readonly kind: 'refused'; readonly status: number; readonly detail: string | null }

/** A login at one hub. */
export interface Session {
  /** The access token for the next request, renewed when it is about to end; null: nobody is logged in. Rejects when the hub cannot be asked. */
  token: () => Promise<string | null>
  /** After the hub refused `refused`: another token, or null when the login has ended. Rejects when the hub cannot be asked. */
  renew: (refused: string) => Promise<string | null>
  /** Null: logged in. */
  logIn: (username: string, password: string) => Promise<LoginProblem | null>
  /** Ends the login here, and at the hub when that can be asked. */
  logOut: () => Promise<void>
}

export interface SessionDeps {
  readonly fetch: typeof globalThis.fetch
  readonly storage: () => Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>
  /** Somebody is logged in, or nobody any more. */
  readonly changed: (user: SessionUser | null) => void
  /** ms of any monotonic clock. @default performance.now */
  readonly now?: () => number
}

interface Held {
  readonly token: string
  readonly renewAt: number
}

/** A token is renewed so long before its end, ms. */
const RENEW_BEFORE_MS = 30_000
const ANSWER_TIMEOUT_MS = 10_000
const LONGEST_REPLY = 64 * 1024

/**
 * The access token lives in memory only. What renews it is a cookie that the hub gave and no script can read; in storage lies nothing but the
 * mark that there is such a cookie, so that visitors of a public page are not asked for one.
 */
export function createSession(base: string, { fetch, storage, changed, now = () => performance.now() }: SessionDeps): Session {
  const slot = `mobilepool:login:${base}`
  let held: Held | null = null
  let renewing: Promise<string | null> | null = null
  let isMarked = inStorage((s) => s.getItem(slot)) === '1'

  function inStorage<T>(use: (kept: ReturnType<SessionDeps['storage']>) => T): T | null {
    try {
      return use(storage())
    } catch {
      return null
    }
  }

  const post = (path: string, body?: unknown): Promise<Response> =>
    fetch(new URL(`api/v1/auth/${path}`, base), {
      method: 'POST',
      cache: 'no-store',
      credentials: 'same-origin',
      signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
      ...(body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
    })

  async function take(response: Response): Promise<string> {
    const reply: Partial<LoginReplyJson> | null = JSON.parse(await readBounded(response, LONGEST_REPLY))
    const { access_token: token, expires_in: seconds, user } = reply ?? {}
    if (typeof token !== 'string' || !(Number(seconds) > 0) || typeof user?.username !== 'string') throw new TypeError('not a hub’s reply')
    held = { token, renewAt: now() + 1000 * Number(seconds) - RENEW_BEFORE_MS }
    isMarked = true
    inStorage((s) => s.setItem(slot, '1'))
    changed({ username: user.username, isAdmin: user.role === 'admin' })
    return token
  }

  function forget(): void {
    held = null
    isMarked = false
    inStorage((s) => s.removeItem(slot))
    changed(null)
  }

  async function refresh(): Promise<string | null> {
    const response = await post('refresh')
    // Somebody has logged out meanwhile.
    if (!isMarked) return null
    if (response.ok) return await take(response)
    if (response.status !== 401 && response.status !== 403) throw new Error(`auth/refresh: ${response.status}`)
    forget()
    return null
  }

  /** One at a time: a cookie that is used twice ends the login. */
  const refreshOnce = (): Promise<string | null> => {
    renewing ??= refresh().finally(() => {
      renewing = null
    })
    return renewing
  }

  return {
    async token() {
      if (held !== null && now() < held.renewAt) return held.token
      return isMarked ? await refreshOnce() : null
    },
    async renew(refused) {
      if (held !== null && held.token !== refused) return held.token
      return isMarked ? await refreshOnce() : null
    },
    async logIn(username, password) {
      try {
        const response = await post('login', { username, password })
        if (response.ok) {
          await take(response)
          return null
        }
        if (response.status === 401) return { kind: 'wrong' }
        return { kind: 'refused', status: response.status, detail: readDetail(await readBounded(response, LONGEST_REPLY)) }
      } catch {
        return { kind: 'unreachable' }
      }
    },
    async logOut() {
      forget()
      await post('logout').catch(() => undefined)
    },
  }
}
