import { type ShallowRef, shallowRef, watch } from 'vue'

export const themes = ['auto', 'light', 'dark'] as const
export type Theme = (typeof themes)[number]

const SLOT = 'mobilepool:theme'

/** The theme chosen, kept in the browser and put on the document at once; `auto` follows the system. */
export function createTheme(root: HTMLElement, storage: () => Pick<Storage, 'getItem' | 'setItem'>): ShallowRef<Theme> {
  const theme = shallowRef(stored(storage))
  watch(
    theme,
    (now) => {
      root.dataset.theme = now
    },
    { immediate: true },
  )
  watch(theme, (now) => {
    try {
      storage().setItem(SLOT, now)
    } catch {
      // Where storage is forbidden the choice lasts until the page is reloaded.
    }
  })
  return theme
}

function stored(storage: () => Pick<Storage, 'getItem'>): Theme {
  try {
    const kept = storage().getItem(SLOT)
    return themes.find((theme) => theme === kept) ?? 'auto'
  } catch {
    return 'auto'
  }
}
