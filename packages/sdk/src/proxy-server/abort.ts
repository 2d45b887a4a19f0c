import type { Duplex } from 'node:stream'

interface Resettable {
  resetAndDestroy(): unknown
}

const canReset = (stream: object): stream is Resettable => 'resetAndDestroy' in stream && typeof stream.resetAndDestroy === 'function'

/**
 * Ends a connection so that the other side sees a reset (TCP RST), never a clean end: a cut download must not look complete.
 * Streams that are no sockets may offer `resetAndDestroy()`; the others are destroyed with an error.
 */
export function abort(stream: Duplex): void {
  if (stream.destroyed) return
  stream.on('error', ignore)
  // A TLS socket has the method but cannot reset: the TCP socket below it can (reference: tunnel.md, pitfall 5).
  const below = 'encrypted' in stream ? (stream as { _parent?: unknown })._parent : undefined
  if (typeof below === 'object' && below !== null && canReset(below)) {
    below.resetAndDestroy()
    stream.destroy()
  } else if (!('encrypted' in stream) && canReset(stream)) {
    stream.resetAndDestroy()
  } else {
    stream.destroy(Object.assign(new Error('connection aborted'), { code: 'ECONNABORTED' }))
  }
}

/** For streams whose fate is told otherwise: an `error` event without a listener would end the process. */
export function ignore(): void {}
