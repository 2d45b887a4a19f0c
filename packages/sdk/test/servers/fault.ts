import net from 'node:net'
import { type Duplex, Transform } from 'node:stream'

/**
 * What a device's proxy does wrong.
 *
 * - `hang_accept`: accepts the connection and says nothing, not even TLS.
 * - `hang_connect`: takes the request (CONNECT or absolute form) and never answers, nor passes it on.
 * - `hang_header`: passes it on; nothing of the response comes back.
 * - `hang_body`: the head and the first byte of the body come back, nothing more.
 * - `reset`: resets the connection after so many bytes have come back (0: instead of any).
 * - `drop`: closes the connection instead of answering.
 * - `slow`: passes every piece of the response on only after so many ms.
 * - `garbage`: answers with bytes that are not HTTP.
 * - `status`: answers itself, e.g. with 407 or 502.
 * - `wrong_length`: says that the body is longer than it is, then closes.
 */
export type Fault =
  | { readonly kind: 'hang_accept' | 'hang_connect' | 'hang_header' | 'hang_body' | 'drop' | 'garbage' | 'wrong_length' }
  | { readonly kind: 'reset'; readonly afterBytes: number }
  | { readonly kind: 'slow'; readonly ms: number }
  | { readonly kind: 'status'; readonly status: number; readonly headers?: Record<string, string> }

/** Ends the connection the way the fault has it; false when it does not. */
export function breakOff(fault: Fault | null, client: Duplex): boolean {
  if (fault?.kind === 'drop') client.destroy()
  else if (fault?.kind === 'garbage') client.end('220 smtp.example.com ESMTP\r\n')
  else if (fault?.kind === 'reset' && fault.afterBytes === 0) reset(client)
  else return false
  return true
}

/**
 * The way back of a response, with what goes wrong on it. Where something hangs or is reset the piece is never done with,
 * so that the end does not come through either: it would make a whole response of half a one.
 */
export function misbehave(fault: Fault | null, client: Duplex): Transform {
  let passed = 0
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      const before = passed
      passed += chunk.length
      switch (fault?.kind) {
        case 'hang_header':
          return
        case 'hang_body':
          this.push(chunk.subarray(0, 1))
          return
        case 'slow':
          setTimeout(() => done(null, chunk), fault.ms)
          return
        case 'reset':
          if (passed < fault.afterBytes) done(null, chunk)
          else {
            this.push(chunk.subarray(0, fault.afterBytes - before))
            setImmediate(() => reset(client))
          }
          return
        default:
          done(null, chunk)
      }
    },
  })
}

function reset(socket: Duplex): void {
  if (socket instanceof net.Socket) socket.resetAndDestroy()
  else socket.destroy()
}
