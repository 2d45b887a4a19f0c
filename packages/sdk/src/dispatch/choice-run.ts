import type { Device } from '../core/device.ts'
import type { View } from '../core/view.ts'
import type { MobilePoolError } from '../errors.ts'
import type { Errand, ErrandHost } from './errand.ts'

interface Choice {
  /** Null: no host in particular. */
  readonly hostname: string | null
  readonly view: View
  readonly order: number
  readonly signal: AbortSignal | undefined
}

/** Waits for a device like any request, only to learn which one it is: what a lease begins with. It sends nothing and is not counted. */
export class ChoiceRun implements Errand {
  readonly attempts = []
  readonly reports = []
  readonly tried = []
  readonly options = { method: '', path: '' }
  readonly target: { readonly hostname: string }
  readonly site: string
  readonly order: number
  readonly view: View
  readonly startedAt: number
  place = -1
  /** Rejects with `MobilePoolError`, or with the signal's reason. */
  readonly device: Promise<Device>
  readonly #host: ErrandHost
  readonly #signal: AbortSignal | undefined
  #resolve!: (device: Device) => void
  #reject!: (error: Error) => void

  constructor(host: ErrandHost, { hostname, view, order, signal }: Choice) {
    this.#host = host
    this.target = { hostname: hostname ?? '' }
    this.site = hostname === null ? '' : host.siteOf(hostname)
    this.order = order
    this.view = view
    this.startedAt = host.now()
    this.#signal = signal
    this.device = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
  }

  start(): void {
    if (this.#signal?.aborted) {
      this.#onAbort()
      return
    }
    this.#signal?.addEventListener('abort', this.#onAbort, { once: true })
    this.#host.admit(this)
  }

  queued(): void {}

  assigned(device: Device): void {
    this.#end()
    this.#resolve(device)
  }

  refused(error: MobilePoolError): void {
    this.#end()
    this.#reject(error)
  }

  abort(reason: Error): void {
    this.#end()
    this.#host.withdraw(this)
    this.#reject(reason)
  }

  cut(reason: Error): void {
    this.abort(reason)
  }

  readonly #onAbort = (): void => {
    const reason: unknown = this.#signal?.reason
    this.abort(reason instanceof Error ? reason : new Error(String(reason)))
  }

  #end(): void {
    this.#signal?.removeEventListener('abort', this.#onAbort)
    this.#host.leave(this)
  }
}
