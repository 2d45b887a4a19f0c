import type { ServerResponse } from 'node:http'

const NOTHING = Buffer.alloc(0)

/**
 * Sends the head of an answer whose body does not follow within this turn of the event loop; one that does goes with the head in one
 * write. Not by `flushHeaders()`, which spoils bytes beyond ASCII (Node writes them as UTF-8 then).
 */
export function flushHeadSoon(res: ServerResponse): void {
  setImmediate(() => {
    if (!res.writableEnded && !res.destroyed) res.write(NOTHING)
  })
}
