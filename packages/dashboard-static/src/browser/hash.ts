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

/** The path of the address, which says what view is shown. */
export function hashPath(): Readonly<ShallowRef<string>> {
  const path = shallowRef(readPlace(location.hash).path)
  addEventListener('hashchange', () => {
    path.value = readPlace(location.hash).path
  })
  return path
}

/**
 * A part of a view's state that lives in the page's address, so that a link shows to others what one sees oneself.
 * `fromParams` and `toParams` turn it from and into the parameters of the address while its path is `path`; elsewhere it stays as it is.
 */
export function hashState<State>(
  path: string,
  fromParams: (params: URLSearchParams) => State,
  toParams: (state: State) => URLSearchParams,
): ShallowRef<State> {
  const read = (): State => fromParams(readPlace(location.hash).params)
  const state = shallowRef(read())
  const isHere = (): boolean => readPlace(location.hash).path === path
  addEventListener('hashchange', () => {
    if (isHere()) state.value = read()
  })
  watch(state, (now) => {
    if (!isHere()) return
    const hash = writePlace({ path, params: toParams(now) })
    // Replaced, not pushed: "back" should leave the page, not undo typing letter by letter.
    if (hash !== (location.hash || '#/')) history.replaceState(null, '', hash)
  })
  return state
}
