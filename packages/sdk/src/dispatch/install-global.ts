/** Where undici 6 and 7 (`.1`) and 8 (`.2`) look for the process's dispatcher, the built-in ones of Node included. */
const places = [Symbol.for('undici.globalDispatcher.1'), Symbol.for('undici.globalDispatcher.2')]

type Globals = Record<symbol, unknown>

/**
 * Makes a dispatcher the process's own. undici's `setGlobalDispatcher` sets only the place that its major reads, and a built-in
 * fetch of another major would then silently go direct (reference/sdk.md 1.2): this sets both.
 */
export function installGlobal(dispatcher: object): Disposable {
  // Reading it makes Node load its undici, which sets its own dispatcher where there is none: undoing this must leave one behind.
  void globalThis.Headers
  const globals = globalThis as unknown as Globals
  const before = places.map((place) => globals[place])
  for (const place of places) put(place, dispatcher)
  return {
    [Symbol.dispose]() {
      for (const [index, place] of places.entries()) if (globals[place] === dispatcher) put(place, before[index])
    },
  }
}

const put = (place: symbol, value: unknown): void => {
  Object.defineProperty(globalThis, place, { value, writable: true, enumerable: false, configurable: false })
}
