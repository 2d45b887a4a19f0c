import { connect, type Socket } from 'node:net'
import { guardedLookup, guardLiteral, TargetRefused } from './guarded-lookup.ts'
import { Hops } from './hops.ts'

/** One connection of the hub to somebody else, for what is not HTTP. */
interface DialOptions {
  /** For finding the address and connecting, ms. */
  timeoutMs: number
  /** Ends the wait earlier. */
  signal: AbortSignal
}

/** Opens a TCP connection; rejects with an error whose message names the host, and that is for people. */
export type Dial = (host: string, port: number, options: DialOptions) => Promise<Socket>

/**
 * The way out of the hub for what speaks no HTTP: to the addresses that `createSender` would dial, checked at the moment of dialling,
 * to no others.
 */
export const createDialer =
  ({ allowsPrivate }: { allowsPrivate: boolean }): Dial =>
  (host, port, { timeoutMs, signal }) =>
    new Promise((resolve, reject) => {
      const { guard } = new Hops(allowsPrivate)
      signal.throwIfAborted()
      guardLiteral(host, guard)
      const socket = connect({ host: host.replace(/^\[(.*)\]$/, '$1'), port, lookup: guardedLookup(guard) })
      const stop = (): void => void socket.destroy(new Error(`The connection to ${host} was called off.`))
      const late = (): void => void socket.destroy(new Error(`${host} port ${port} did not answer within ${timeoutMs / 1_000} s.`))
      const timer = setTimeout(late, timeoutMs)
      signal.addEventListener('abort', stop, { once: true })
      const settle = (): void => {
        clearTimeout(timer)
        signal.removeEventListener('abort', stop)
      }
      const fail = (error: Error): void => {
        settle()
        const { code } = error as NodeJS.ErrnoException
        reject(
          error instanceof TargetRefused || code === undefined ? error : new Error(`${host} port ${port} cannot be reached (${code}).`),
        )
      }
      socket.once('error', fail)
      socket.once('connect', () => {
        settle()
        socket.off('error', fail)
        resolve(socket)
      })
    })
