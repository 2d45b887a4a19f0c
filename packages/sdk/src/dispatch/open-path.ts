import type { AttemptKind } from '../errors.ts'
import type { DeviceRef } from '../events.ts'
import type { DeviceStream } from './connect-device.ts'
import type { DeviceAttempt } from './device-attempt.ts'
import type { ErrandHost } from './errand.ts'
import type { Path } from './path.ts'
import type { PathLink } from './transport.ts'

/** Who is told what becomes of a path. */
interface PathWatcher {
  /** It came to nothing, or to less than a whole answer. */
  onFailed(kind: AttemptKind): void
  /** Its place is given back. */
  onOver(): void
}

/** A path that stands, and the place at its device that it holds. */
export class OpenPath implements Path {
  readonly device: DeviceRef
  readonly exitIp: string | null
  readonly socket: DeviceStream
  readonly isForward: boolean
  readonly authorization: string | null
  readonly #host: ErrandHost
  readonly #attempt: DeviceAttempt
  readonly attempts: number
  readonly isReused: boolean
  /** The connection, which outlives this path when it is used again. */
  readonly link: PathLink
  readonly #site: string
  readonly #watcher: PathWatcher
  /** What connecting took. */
  readonly #before: { readonly read: number; readonly written: number }
  onCut: ((reason: Error) => void) | null = null
  #isConcluded: boolean = false
  #isReleased: boolean = false

  constructor(
    host: ErrandHost,
    attempt: DeviceAttempt,
    link: PathLink,
    watcher: PathWatcher,
    { site, attempts, isReused }: { readonly site: string; readonly attempts: number; readonly isReused: boolean },
  ) {
    this.#host = host
    this.#attempt = attempt
    this.link = link
    this.attempts = attempts
    this.isReused = isReused
    this.#site = site
    this.#watcher = watcher
    this.device = { deviceId: attempt.device.id, device: attempt.device.facts.name }
    this.exitIp = attempt.exitIp
    this.socket = link.socket
    this.isForward = link.isForward
    this.authorization = link.authorization
    // What came with the answer to CONNECT waits unread: it is the target's.
    this.#before = { read: this.socket.bytesRead - this.socket.readableLength, written: this.socket.bytesWritten }
    this.socket.on('close', this.#onClose)
  }

  conclude(kind: AttemptKind): void {
    if (this.#isConcluded) return
    this.#isConcluded = true
    this.#attempt.conclude(kind, 'response')
    if (kind === 'answered') {
      this.#host.noteComplete(this.#attempt.device)
      return
    }
    this.#watcher.onFailed(kind)
    this.#host.noteAttemptEnd(this.#attempt)
    this.#host.judge([this.#attempt], null, this.#site)
  }

  release(): void {
    if (this.#isReleased) return
    this.#isReleased = true
    this.#attempt.bytesIn = this.socket.bytesRead - this.#before.read
    this.#attempt.bytesOut = this.socket.bytesWritten - this.#before.written
    this.socket.off('close', this.#onClose)
    this.link.rest()
    this.#host.release(this.#attempt.device, this.#site)
    this.#watcher.onOver()
  }

  readonly #onClose = (): void => {
    if (!this.#isConcluded && this.socket.bytesRead > this.#before.read) this.conclude('answered')
    this.release()
  }
}
