import { type ShallowRef, shallowRef } from 'vue'

/** One short sentence at the foot of the page, read out by screen readers, gone after a few seconds. */
export interface Notice {
  readonly text: Readonly<ShallowRef<string>>
  say: (text: string) => void
}

/** Long enough to read a sentence, ms. */
const SHOWN_MS = 3000

export function createNotice(): Notice {
  const text = shallowRef('')
  let timer: ReturnType<typeof setTimeout> | undefined
  return {
    text,
    say(sentence) {
      text.value = sentence
      clearTimeout(timer)
      timer = setTimeout(() => {
        text.value = ''
      }, SHOWN_MS)
    },
  }
}
