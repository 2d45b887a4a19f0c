import { computed, shallowRef, watch } from 'vue'
import { useAsk, useAsked } from '../views/use-asked.ts'
import type { LogLine, LogPage } from './logs.ts'
import { type Tail, withNewest, withOlder } from './tail.ts'

/** How often a log is looked at for what is new, ms. */
const EVERY_MS = 5_000

/** Follows a log whose newest page is at `path`, and goes back in it page by page. */
export function useLog<Line extends LogLine>(path: () => string, read: (json: unknown) => LogPage<Line> | null) {
  const ask = useAsk()
  const shown = shallowRef<Tail<Line> | null>(null)
  const isBusy = shallowRef(false)
  const { value: newest, problem } = useAsked(path, read, { everyMs: EVERY_MS })
  watch(path, () => {
    shown.value = null
  })
  watch(newest, (page) => {
    if (page !== null) shown.value = withNewest(shown.value, page)
  })

  async function older(): Promise<void> {
    const [from, asked] = [shown.value?.next, path()]
    if (from === undefined || from === null || isBusy.value) return
    isBusy.value = true
    const answer = await ask({ path: `${asked}&after=${encodeURIComponent(from)}` })
    isBusy.value = false
    const page = answer.ok ? read(answer.value) : null
    if (page !== null && shown.value !== null && path() === asked) shown.value = withOlder(shown.value, page)
  }
  return { lines: computed(() => shown.value?.lines ?? null), hasOlder: computed(() => shown.value?.next != null), isBusy, problem, older }
}
