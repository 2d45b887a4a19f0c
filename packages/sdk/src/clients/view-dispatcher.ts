import type { Carrier } from './carrier.ts'
import { ClientDispatcher } from './client-dispatcher.ts'
import { narrow, type Scope, scopeOf } from './scope.ts'
import { parseView, type ViewOptions } from './view-options.ts'

type Callback = (error: Error | null, data: null) => void

/** A part of the pool as a dispatcher. It has no sockets of its own, so closing it closes nothing. */
export class ViewDispatcher extends ClientDispatcher {
  protected readonly carrier: Carrier
  protected readonly scope: Scope

  constructor(carrier: Carrier, scope: Scope) {
    super()
    this.carrier = carrier
    this.scope = scope
  }

  with(options: ViewOptions): ViewDispatcher {
    return new ViewDispatcher(this.carrier, narrow(this.scope, scopeOf(parseView(options))))
  }

  override close(callback?: Callback): Promise<void> {
    return closed(callback)
  }

  override destroy(error?: Error | null | Callback, callback?: Callback): Promise<void> {
    return closed(typeof error === 'function' ? error : callback)
  }
}

function closed(callback: unknown): Promise<void> {
  if (typeof callback === 'function') queueMicrotask(() => callback(null, null))
  return Promise.resolve()
}
