import { type ShallowRef, shallowRef } from 'vue'
import { problemWords } from '../device/problem-words.ts'
import type { HubAnswer, Question } from '../hub/client.ts'
import { useAsk } from './use-asked.ts'

/** Something that a form or a button asks of the hub: one at a time. */
interface Sending {
  readonly isBusy: Readonly<ShallowRef<boolean>>
  /** Why the last one was not done, in the hub's own words; empty: it was. */
  readonly problem: ShallowRef<string>
  /** Null: another one is under way. */
  send: (question: Question) => Promise<HubAnswer<unknown> | null>
}

/** For one form or line. */
export function useSend(): Sending {
  const ask = useAsk()
  const isBusy = shallowRef(false)
  const problem = shallowRef('')
  return {
    isBusy,
    problem,
    async send(question) {
      if (isBusy.value) return null
      isBusy.value = true
      const answer = await ask(question)
      isBusy.value = false
      problem.value = answer.ok ? '' : problemWords(answer.problem)
      return answer
    },
  }
}
