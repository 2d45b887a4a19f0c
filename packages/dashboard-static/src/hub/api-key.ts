/** Where the tab keeps the API key: the part of `Storage` that is used. */
export type KeyStorage = Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>

/** The API key that somebody typed, for one hub. */
export interface ApiKey {
  get: () => string | null
  set: (key: string) => void
  forget: () => void
}

/**
 * Keeps the key until the tab closes, under the hub's address: a link with another `?hub=` never gets this hub's key.
 * Where the browser forbids storage, the key lasts until the page is reloaded.
 */
export function createApiKey(base: string, storage: () => KeyStorage): ApiKey {
  const slot = `mobilepool:key:${base}`
  let key: string | null = null
  const inStorage = <T>(use: (storage: KeyStorage) => T): T | null => {
    try {
      return use(storage())
    } catch {
      return null
    }
  }
  return {
    get: () => key ?? inStorage((s) => s.getItem(slot)),
    set: (given) => {
      key = given
      inStorage((s) => s.setItem(slot, given))
    },
    forget: () => {
      key = null
      inStorage((s) => s.removeItem(slot))
    },
  }
}
