/** What a text must hold: a string is looked for as it stands, upper and lower case alike; a RegExp is tested (`/g` and `/y` carry nothing over). */
export type Pattern = string | RegExp

/** A rule that tells a ban answer: all that it names must hold. */
export interface BanRule {
  /** What events and errors call it. */
  readonly name: string
  /** One status or several. */
  readonly status?: number | readonly number[] | undefined
  /** Headers by their lower-case names; each must be there and match. `/^/` asks only for its presence. */
  readonly headers?: Readonly<Record<string, Pattern>> | undefined
  /** The `Location` of a redirect, as it stands in the header. */
  readonly location?: Pattern | undefined
  /** The beginning of the body, decoded: see `inspect`. */
  readonly body?: Pattern | undefined
  /** The rule is for these hosts and those below them only. */
  readonly hosts?: readonly string[] | undefined
}

/** How much of a body is looked at, and for how long it is held back for that. */
export interface InspectSettings {
  /** Bytes as they come from the wire, before decoding. */
  readonly bytes: number
  readonly maxWaitMs: number
  /** Media types, e.g. `text/html`, or `text/*`. Without a `Content-Type` a body is looked at too. */
  readonly contentTypes: readonly string[]
}

/** Which rule found a ban, and by what. Where several things had to hold it is the last of: status, header, location, body. */
export interface BanMatch {
  readonly rule: string
  readonly by: 'status' | 'header' | 'location' | 'body'
}
