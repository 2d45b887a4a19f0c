import type { Duplex } from 'node:stream'
import { abort } from './abort.ts'

/**
 * Joins two connections: bytes, back-pressure, half-close and resets pass in both directions. `pipe()` would not do: it ends the other
 * side when this one ends, whatever the reason, and a cut download would look complete.
 * Both sides must have been opened with `allowHalfOpen`.
 */
export function splice(client: Duplex, upstream: Duplex, onBytes: { up(bytes: number): void; down(bytes: number): void }): void {
  carry(client, upstream, onBytes.up)
  carry(upstream, client, onBytes.down)
}

function carry(from: Duplex, to: Duplex, onBytes: (bytes: number) => void): void {
  from.on('data', (chunk: Buffer) => {
    onBytes(chunk.length)
    if (!to.write(chunk)) from.pause()
  })
  to.on('drain', () => from.resume())
  from.on('end', () => to.end())
  from.on('error', () => abort(to))
  from.on('close', () => {
    if (!from.readableEnded || !from.writableFinished) abort(to)
  })
}
