import { type ShallowRef, shallowRef, watch } from 'vue'

/** Where in the page one is: `#/devices?q=mts` has the path `/devices`. */
interface Place {
  readonly path: string
  readonly params: URLSearchParams
}

/** Reads `location.hash`. */
export function readPlace(hash: string): Place {
  const [path = '', query = ''] = hash.replace(/^#/, '').split(/\?(.*)/s)
  return { path: path === '' ? '/' : path, params: new URLSearchParams(query) }
}

/** Writes a place as a hash; a list keeps its readable commas. */
export function writePlace({ path, params }: Place): string {
  const query = params.toString().replaceAll('%2C', ',')
  return query === '' ? `#${path}` : `#${path}?${query}`
}

/**
 * A part of the page's state that lives in its address, so that a link shows to others what one sees oneself.
 * `fromPlace` and `toParams` turn it from and into the address's parameters.
 */
export function hashState<State>(
  fromParams: (params: URLSearchParams) => State,
  toParams: (state: State) => URLSearchParams,
): ShallowRef<State> {
  const read = (): State => fromParams(readPlace(location.hash).params)
  const state = shallowRef(read())
  addEventListener('hashchange', () => {
    state.value = read()
  })
  watch(state, (now) => {
    const hash = writePlace({ path: readPlace(location.hash).path, params: toParams(now) })
    // Replaced, not pushed: "back" should leave the page, not undo typing letter by letter.
    if (hash !== (location.hash || '#/')) history.replaceState(null, '', hash)
  })
  return state
}
