import { between, pick, seeded } from '../seeded.ts'

/** One request of a chaos run: what it is, and what its caller does to it. */
export interface PlannedRequest {
  readonly id: string
  readonly client: 'fetch' | 'request' | 'stream'
  readonly isTls: boolean
  readonly method: 'GET' | 'PUT' | 'POST'
  readonly path: string
  readonly body: { readonly kind: 'none' | 'text' | 'bytes' | 'stream'; readonly bytes: Buffer }
  /** `before`: with a signal that is aborted already. `after`: so many ms later. `shared`: with a signal that all such requests share and nobody aborts. */
  readonly abort: { readonly kind: 'none' | 'before' | 'shared' } | { readonly kind: 'after'; readonly ms: number }
  /** `first`: gives the response up after its first piece. */
  readonly reads: 'all' | 'first' | 'nothing'
}

/** The request of this number in the run of this seed: always the same. */
export function planRequest(seed: number, number: number): PlannedRequest {
  const random = seeded(seed * 1_000_003 + number)
  const id = `${seed}-${number}`
  const client = pick(random, [
    [50, 'fetch'],
    [38, 'request'],
    [12, 'stream'],
  ] as const)
  const method = pick(random, [
    [55, 'GET'],
    [10, 'PUT'],
    [35, 'POST'],
  ] as const)
  const bytes = pick(random, [
    [60, between(random, 0, 2_000)],
    [35, between(random, 2_000, 60_000)],
    [5, between(random, 60_000, 400_000)],
  ])
  const query = pick(random, [
    [86, ''],
    [10, '?chunked'],
    [2, '?status=403'],
    [2, '?status=503'],
  ])
  const kind =
    method === 'GET'
      ? 'none'
      : pick(random, [
          [50, 'text'],
          [20, 'bytes'],
          [30, 'stream'],
        ] as const)
  const abort = pick<PlannedRequest['abort']>(random, [
    [72, { kind: 'none' }],
    [2, { kind: 'before' }],
    [10, { kind: 'after', ms: between(random, 0, 150) }],
    [16, { kind: 'shared' }],
  ])
  const reads = client === 'stream' ? 'all' : pick(random, [[94, 'all'] as const, [4, 'first'] as const, [2, 'nothing'] as const])
  const body = Buffer.alloc(kind === 'none' ? 0 : between(random, 0, random() < 0.1 ? 200_000 : 3_000), `${id} `)
  return { id, client, isTls: random() < 0.5, method, path: `/${id}/${bytes}${query}`, body: { kind, bytes: body }, abort, reads }
}
