import { type ShallowRef, shallowRef } from 'vue'

/** The hub's time, as far as the browser can tell it. */
export interface Clock {
  /** ms since the epoch; moves once a second while somebody can see the page: what is drawn goes by it. */
  readonly now: Readonly<ShallowRef<number>>
  /** The same, exact. */
  read: () => number
  /**
   * Goes by the hub's clock from now on: a phone whose clock is five minutes wrong still shows "12 s ago".
   * `hubNow` is what the hub's clock shows at this moment, ms since the epoch.
   */
  follow: (hubNow: number) => void
  stop: () => void
}

export function createClock(localNow: () => number, document: Document): Clock {
  let offset = 0
  let timer: ReturnType<typeof setInterval> | undefined
  const read = (): number => localNow() + offset
  const now = shallowRef(read())
  const tick = (): void => {
    now.value = read()
  }
  const run = (): void => {
    clearInterval(timer)
    if (document.hidden) return
    tick()
    timer = setInterval(tick, 1000)
  }
  document.addEventListener('visibilitychange', run)
  run()
  return {
    now,
    read,
    follow(hubNow) {
      offset = hubNow - localNow()
      tick()
    },
    stop() {
      clearInterval(timer)
      document.removeEventListener('visibilitychange', run)
    },
  }
}
