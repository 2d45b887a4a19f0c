import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { abort } from './abort.ts'
import { giveBack } from './give-back.ts'

/**
 * Joins two connections: bytes, back-pressure, half-close and resets pass in both directions. `pipe()` would not do: it ends the other
 * side when this one ends, whatever the reason, and a cut download would look complete.
 * Both sides must have been opened with `allowHalfOpen`. Nobody else may read from them, nor keep what they bring.
 */
export function splice(client: Duplex, upstream: Duplex, onBytes: { up(bytes: number): void; down(bytes: number): void }): void {
  carry(client, upstream, onBytes.up)
  carry(upstream, client, onBytes.down)
}

function carry(from: Duplex, to: Duplex, onBytes: (bytes: number) => void): void {
  // What any other stream has written may still be held by whoever reads at its far end.
  const leavesWithWrite = isPlainSocket(from) && isPlainSocket(to)
  /** Written, and not known to have left yet. */
  let leaving: Buffer[] = []
  from.on('data', (chunk: Buffer) => {
    onBytes(chunk.length)
    const mayGoOn = to.write(chunk)
    if (leavesWithWrite) {
      if (to.writableLength === 0) giveBack(chunk)
      else if (!mayGoOn) leaving.push(chunk)
    }
    if (!mayGoOn) from.pause()
  })
  to.on('drain', () => {
    for (const chunk of leaving) giveBack(chunk)
    leaving = []
    from.resume()
  })
  from.on('end', () => to.end())
  from.on('error', () => abort(to))
  from.on('close', () => {
    if (!from.readableEnded || !from.writableFinished) abort(to)
  })
}

const isPlainSocket = (stream: Duplex): boolean => stream instanceof Socket && !('encrypted' in stream)
