import { onScopeDispose, type ShallowRef, shallowRef } from 'vue'

/**
 * How much room there is: for a list of `cards` only (below 640 px: a squeezed table reads badly), for a table of a `few` columns that hold
 * two or three lines each, or for `all` columns (from 1280 px). In rem, so that larger text counts as less room.
 */
export type Room = 'cards' | 'few' | 'all'

export function useRoom(): Readonly<ShallowRef<Room>> {
  const few = matchMedia('(min-width: 40rem)')
  const all = matchMedia('(min-width: 80rem)')
  const read = (): Room => (all.matches ? 'all' : few.matches ? 'few' : 'cards')
  const room = shallowRef(read())
  const update = (): void => {
    room.value = read()
  }
  for (const query of [few, all]) query.addEventListener('change', update)
  onScopeDispose(() => {
    for (const query of [few, all]) query.removeEventListener('change', update)
  })
  return room
}
