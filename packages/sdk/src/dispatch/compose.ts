import type { DispatchHandler, DispatchOptions, LegacyHandler } from './handlers.ts'
import { liftHandler } from './lift-handler.ts'

export type Dispatch = (options: DispatchOptions, handler: DispatchHandler | LegacyHandler) => boolean
export type Interceptor = (dispatch: Dispatch) => Dispatch

/**
 * `compose()` with undici's contract: the last interceptor sees a request first, the others in turn, the dispatcher last.
 * Handlers are lifted at every boundary, so that interceptors of undici 6, 7 and 8 can be mixed.
 */
export function composeOver<T extends { dispatch: Dispatch }>(dispatcher: T, interceptors: readonly (Interceptor | null | undefined)[]): T {
  const lifted =
    (dispatch: Dispatch): Dispatch =>
    (options, handler) =>
      dispatch(options, liftHandler(handler))
  let dispatch = lifted((options, handler) => dispatcher.dispatch(options, handler))
  for (const interceptor of interceptors) {
    if (interceptor === null || interceptor === undefined) continue
    if (typeof interceptor !== 'function') throw new TypeError(`compose() takes interceptors: functions, not ${typeof interceptor}`)
    dispatch = lifted(interceptor(dispatch))
  }
  const composed: T = new Proxy(dispatcher, {
    get: (target, key) => {
      if (key === 'dispatch') return dispatch
      if (key === 'compose') return (...more: (Interceptor | null | undefined)[]) => composeOver(composed, more.flat())
      const value: unknown = Reflect.get(target, key, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
  return composed
}
