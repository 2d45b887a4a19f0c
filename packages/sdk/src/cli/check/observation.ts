/** How one way through a proxy went. `status` is what the proxy or the echo answered instead of what was hoped for. */
export type WayThrough =
  | { readonly kind: 'works' }
  | { readonly kind: 'failed'; readonly why: string; readonly status: number | null }
  | { readonly kind: 'not_checked'; readonly why: string }

/** A target to which a tunnel was tried. */
export interface TargetObservation {
  readonly target: string
  readonly isOpen: boolean
  readonly why: string | null
  readonly durationMs: number
}

/** What was seen of one proxy; null: not known. */
export interface Observation {
  /** Without its secrets. */
  readonly proxy: string
  /** Null: reached. */
  readonly unreachable: string | null
  /** `accepted`: given and not refused. `refused`: 407, or SOCKS said no. `not_asked`: none given, none wanted. */
  readonly credentials: 'accepted' | 'refused' | 'not_asked' | 'unknown'
  /** Whether it serves who brings no credentials at all. */
  readonly isOpenToAnyone: boolean | null
  readonly connect: WayThrough
  readonly absoluteForm: WayThrough
  readonly exitIp: string | null
  /** Our own address, as the echo sees it without the proxy. */
  readonly directIp: string | null
  /** Headers that arrived at the echo and that we did not send; null when the echo does not tell. */
  readonly addedHeaders: readonly { readonly name: string; readonly value: string }[] | null
  /** Whether the proxy resolved the echo's name itself; null when the echo is given by its address. */
  readonly resolvesNames: boolean | null
  readonly latency: { readonly connectMs: number | null; readonly tunnelMs: number | null; readonly firstByteMs: number | null }
  readonly targets: readonly TargetObservation[]
}

/** A thing that is wrong (`problem`) or worth knowing (`hint`). */
export interface Finding {
  readonly code: FindingCode
  readonly text: string
}

export type FindingCode =
  | 'unreachable'
  | 'credentials_refused'
  | 'credentials_missing'
  | 'no_way_through'
  | 'connect_refused'
  | 'exit_is_ours'
  | 'reveals_us'
  | 'adds_headers'
  | 'target_closed'
  | 'no_absolute_form'
  | 'open_to_anyone'
  | 'headers_unknown'
  | 'exit_unknown'

/** What an observation means. No problems: the proxy is fine. */
export interface Verdict {
  readonly problems: readonly Finding[]
  readonly hints: readonly Finding[]
}
