import { type ShallowRef, shallowRef } from 'vue'
import { en } from '../words/en.ts'
import { speak, type Words } from '../words/words.ts'

/** The languages of the page, each by its own name; English is part of the first load, the others are loaded when they are chosen. */
export const languages = { en: 'English', ru: 'Русский', ko: '한국어' } as const
export type LanguageTag = keyof typeof languages

const load: Readonly<Record<LanguageTag, () => Promise<Words>>> = {
  en: async () => en,
  ru: async () => (await import('../words/ru.ts')).ru,
  ko: async () => (await import('../words/ko.ts')).ko,
}

const SLOT = 'mobilepool:language'

/** The language shown, and how to change it. */
export interface LanguageChoice {
  /** The language that is shown. */
  readonly shown: Readonly<ShallowRef<LanguageTag>>
  /** Resolves when the language of the start is loaded, or cannot be: then it is English. Never rejects. */
  readonly ready: Promise<unknown>
  /** Shows another language and keeps the choice. False when it cannot be loaded; then nothing changes. */
  choose: (tag: LanguageTag) => Promise<boolean>
}

const isKnown = (tag: string): tag is LanguageTag => Object.hasOwn(languages, tag)

/** The first of the reader's languages that the page has: `ru-KZ` is served by `ru`. English when there is none. */
export function preferred(wanted: readonly string[]): LanguageTag {
  for (const tag of wanted) {
    const [base = ''] = tag.toLowerCase().split('-')
    if (isKnown(base)) return base
  }
  return 'en'
}

/** Begins with the language chosen before, else with the browser's (`wanted`, best first), and tells the document which it is. */
export function createLanguage(
  root: HTMLElement,
  storage: () => Pick<Storage, 'getItem' | 'setItem'>,
  wanted: readonly string[],
): LanguageChoice {
  const shown = shallowRef<LanguageTag>('en')
  let asked = 0

  async function show(tag: LanguageTag): Promise<boolean> {
    const turn = ++asked
    try {
      const words = await load[tag]()
      // Of two choices in a row the later one counts, whichever is loaded first.
      if (turn !== asked) return true
      speak(tag, words)
      shown.value = tag
      root.lang = tag
      return true
    } catch {
      return false
    }
  }

  return {
    shown,
    ready: show(stored(storage) ?? preferred(wanted)),
    async choose(tag) {
      const isShown = await show(tag)
      if (isShown) keep(storage, tag)
      return isShown
    },
  }
}

function stored(storage: () => Pick<Storage, 'getItem'>): LanguageTag | null {
  try {
    const kept = storage().getItem(SLOT) ?? ''
    return isKnown(kept) ? kept : null
  } catch {
    return null
  }
}

function keep(storage: () => Pick<Storage, 'setItem'>, tag: LanguageTag): void {
  try {
    storage().setItem(SLOT, tag)
  } catch {
    // Where storage is forbidden the choice lasts until the page is reloaded.
  }
}
