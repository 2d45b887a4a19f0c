import type { ViewOptions } from './view-options.ts'

/** What `fetch` of a pool takes beyond the usual. */
export type PoolRequestInit = RequestInit & { view?: ViewOptions }

/** `fetch` of a pool, a view or a session. */
export type PoolFetch = (input: string | URL | Request, init?: PoolRequestInit) => Promise<Response>
