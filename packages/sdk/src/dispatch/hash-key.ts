import type { View } from '../core/view.ts'
import { MobilePoolError } from '../errors.ts'

/** What the option `hashKey` is asked about. */
export interface HashKeyRequest {
  /** Of the target, in lower case. */
  readonly hostname: string
  /** The registrable domain of the host. */
  readonly site: string
  /** Null where only a connection is asked for: agents, and clients of `listen()` that tunnel. */
  readonly method: string | null
  /** With the query. Null as above. */
  readonly path: string | null
}

/** Which requests belong together for the balancer `ip-hash`: those with the same key. Null: as if not given, by site. */
export type HashKeyOf = (request: HashKeyRequest) => string | null

/**
 * The view with the key that the option `hashKey` gives the request; a view with a key of its own is left as it is.
 * Throws what the function throws, and `MP_OPTIONS` when it returns something else than a string or null.
 */
export function withHashKey(view: View, hashKeyOf: HashKeyOf | undefined, describe: () => HashKeyRequest): View {
  if (hashKeyOf === undefined || view.hashKey !== null) return view
  const hashKey: unknown = hashKeyOf(describe())
  if (hashKey === null) return view
  if (typeof hashKey !== 'string')
    throw new MobilePoolError('MP_OPTIONS', `hashKey: the function returned ${typeof hashKey} instead of a string or null`, {
      phase: 'options',
    })
  return { ...view, hashKey }
}
