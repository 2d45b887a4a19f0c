import { onScopeDispose, type ShallowRef, shallowRef, watch } from 'vue'
import type { HubAnswer, HubProblem, Question } from '../hub/client.ts'
import { usePage } from '../page.ts'

/** Asks the hub for a view; before its address is known nobody answers. */
export function useAsk(): (question: Question) => Promise<HubAnswer<unknown>> {
  const { actions } = usePage()
  return async (question) => (await actions.value?.ask(question)) ?? { ok: false, problem: { kind: 'unreachable' } }
}

/** What the hub answered to a question that a view puts again and again. */
export interface Asked<T> {
  /** The last answer that could be read, even while a newer one cannot be had; null: none yet. */
  readonly value: Readonly<ShallowRef<T | null>>
  /** Why there is no newer one. */
  readonly problem: Readonly<ShallowRef<HubProblem | null>>
  load(): Promise<void>
}

/**
 * Asks for `path` and reads the answer with `read`; anew when the path changes, when the hub is back, and every `everyMs` while somebody can
 * see the page. Path null: nothing is asked.
 */
export function useAsked<T>(
  path: () => string | null,
  read: (json: unknown) => T | null,
  { everyMs }: { everyMs?: number } = {},
): Asked<T> {
  const ask = useAsk()
  const { link } = usePage()
  const value = shallowRef<T | null>(null)
  const problem = shallowRef<HubProblem | null>(null)
  const gone = new AbortController()
  let rounds = 0

  async function load(): Promise<void> {
    const asked = path()
    if (asked === null) return
    const round = ++rounds
    const answer = await ask({ path: asked, signal: gone.signal })
    // What was asked for later counts, whichever is answered first.
    if (gone.signal.aborted || round !== rounds) return
    const found = answer.ok ? read(answer.value) : null
    if (found !== null) value.value = found
    problem.value = !answer.ok ? answer.problem : found === null ? { kind: 'not_a_hub' } : null
  }

  const timer = everyMs === undefined ? undefined : setInterval(() => document.hidden || void load(), everyMs)
  onScopeDispose(() => {
    gone.abort()
    clearInterval(timer)
  })
  watch([path, () => link.value.phase === 'live'], () => void load(), { immediate: true })
  return { value, problem, load }
}
