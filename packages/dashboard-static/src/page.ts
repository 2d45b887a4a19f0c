import { type InjectionKey, inject, type ShallowRef, shallowRef } from 'vue'
import { type Clock, createClock } from './browser/clock.ts'
import { hashPath, hashState } from './browser/hash.ts'
import { createLanguage, type LanguageChoice } from './browser/language.ts'
import { createNotice, type Notice } from './browser/notice.ts'
import { createTheme, type Theme } from './browser/theme.ts'
import { type DeviceFilter, filterFromParams, filterToParams } from './fleet/filter.ts'
import { createFleet, type Fleet } from './fleet/fleet.ts'
import { readEvent } from './fleet/read-event.ts'
import { readSnapshot } from './fleet/read-snapshot.ts'
import { findHubAddress, type HubAddress } from './hub/address.ts'
import { createApiKey } from './hub/api-key.ts'
import { createHubClient, type HubClient } from './hub/client.ts'
import { createCredentials } from './hub/credentials.ts'
import { type Follower, followHub, type Link } from './hub/follow.ts'
import { createSession, type LoginProblem, type SessionUser } from './hub/session.ts'

/** What the page knows and can do; every component gets it by `usePage()`. */
export interface Page {
  readonly fleet: Fleet
  readonly clock: Clock
  /** Null until it is known. */
  readonly address: Readonly<ShallowRef<HubAddress | null>>
  readonly link: Readonly<ShallowRef<Link>>
  /** When the hub was last heard, by `clock`. */
  readonly heardAt: Readonly<ShallowRef<number>>
  readonly hasKey: Readonly<ShallowRef<boolean>>
  /** Who is logged in; null: nobody. */
  readonly user: Readonly<ShallowRef<SessionUser | null>>
  /** The path of the address: what view is shown. */
  readonly path: Readonly<ShallowRef<string>>
  readonly filter: ShallowRef<DeviceFilter>
  readonly theme: ShallowRef<Theme>
  readonly language: LanguageChoice
  readonly notice: Notice
  /** What can be done with the hub; null until its address is known. */
  readonly actions: Readonly<ShallowRef<HubActions | null>>
}

/** What somebody can do about the connection with the hub. */
interface HubActions {
  giveKey: (key: string) => void
  forgetKey: () => void
  tryNow: () => void
  /** Asks the hub for what a view shows or does. */
  ask: HubClient['ask']
  /** Takes a file of the hub's, like an export. */
  file: HubClient['file']
  /** A login is a cookie of the hub's, which only its own page gets. */
  canLogIn: boolean
  /** Null: logged in. */
  logIn: (username: string, password: string) => Promise<LoginProblem | null>
  logOut: () => void
}

export const pageKey: InjectionKey<Page> = Symbol('page')

export function usePage(): Page {
  const page = inject(pageKey)
  if (!page) throw new Error('usePage() needs an app that provides pageKey')
  return page
}

/** Puts the page's parts together and begins to follow the hub. It lives as long as the document, so nothing of it is ever stopped. */
export function createPage(): Page {
  const fleet = createFleet()
  const clock = createClock(Date.now, document)
  const address = shallowRef<HubAddress | null>(null)
  const link = shallowRef<Link>({ phase: 'connecting' })
  const heardAt = shallowRef(clock.read())
  const hasKey = shallowRef(false)
  const user = shallowRef<SessionUser | null>(null)
  const actions = shallowRef<HubActions | null>(null)

  function follow(base: string): HubActions {
    const key = createApiKey(base, () => sessionStorage)
    hasKey.value = key.get() !== null
    const session = createSession(base, {
      fetch: (...request) => fetch(...request),
      storage: () => localStorage,
      changed(now) {
        user.value = now
      },
    })
    const client = createHubClient(base, createCredentials(key, session), (...request) => fetch(...request))
    const follower: Follower = {
      heard() {
        heardAt.value = clock.read()
      },
      link(now) {
        if (now.phase === 'key_needed') {
          // Who may not ask may not go on looking at the last answer.
          fleet.clear()
          key.forget()
          hasKey.value = false
        }
        link.value = now
      },
      snapshot(json, askedForMs) {
        const snapshot = readSnapshot(json)
        if (snapshot === null) return null
        // The hub wrote its time somewhere between question and answer.
        if (snapshot.hubTime !== null) clock.follow(snapshot.hubTime + askedForMs / 2)
        fleet.replace(snapshot.sightings)
        return snapshot.lastEventId
      },
      event({ event, data }) {
        const read = readEvent(event, data)
        if (read) fleet.apply(read)
      },
    }
    const followed = followHub(follower, { client })
    addEventListener('online', followed.tryNow)
    document.addEventListener('visibilitychange', () => {
      if (!document.hidden) followed.tryNow()
    })
    function startOver(): void {
      fleet.clear()
      link.value = { phase: 'connecting' }
      followed.startOver()
    }
    return {
      ask: client.ask,
      file: client.file,
      canLogIn: base.startsWith(`${location.origin}/`),
      async logIn(username, password) {
        const problem = await session.logIn(username, password)
        if (problem === null) {
          key.forget()
          hasKey.value = false
          startOver()
        }
        return problem
      },
      logOut() {
        void session.logOut()
        startOver()
      },
      giveKey(given) {
        key.set(given)
        hasKey.value = true
        followed.startOver()
      },
      forgetKey() {
        key.forget()
        hasKey.value = false
        startOver()
      },
      tryNow: followed.tryNow,
    }
  }

  findHubAddress(new URL(location.href), (...request) => fetch(...request)).then((found) => {
    address.value = found
    if (found.ok) actions.value = follow(found.base)
  }, console.error)

  const filter = hashState('/', filterFromParams, filterToParams)
  const theme = createTheme(document.documentElement, () => localStorage)
  const language = createLanguage(document.documentElement, () => localStorage, navigator.languages)
  return { fleet, clock, address, link, heardAt, hasKey, user, path: hashPath(), filter, theme, language, notice: createNotice(), actions }
}
