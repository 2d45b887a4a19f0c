import type { MobilePoolError } from '../errors.ts'

/** What a handshake makes of the bytes that have come so far. */
export type HandshakeStep =
  | { readonly kind: 'wait' }
  /** Go on: drop so many bytes of what has come, send this, then read on. */
  | { readonly kind: 'send'; readonly length: number; readonly bytes: Buffer }
  /** The tunnel stands; what follows after so many bytes is the target's. */
  | { readonly kind: 'open'; readonly length: number }
  | { readonly kind: 'failed'; readonly error: MobilePoolError }

/** How a device's proxy is asked for a tunnel, without its socket: bytes out, bytes in. */
export interface TunnelHandshake {
  /** For messages: what the device has to answer. */
  readonly question: string
  /** What is sent first. */
  readonly opening: Buffer
  /** Reads all that has come and was not dropped yet. */
  read(received: Buffer): HandshakeStep
}

export const WAIT: HandshakeStep = { kind: 'wait' }
