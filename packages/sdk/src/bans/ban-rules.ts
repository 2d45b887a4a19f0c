import type { BanMatch, BanRule, InspectSettings } from './ban-rule.ts'
import { type BodyTest, bodyTestFor } from './body-test.ts'
import { type CompiledRule, compileRule, headFits } from './compiled-rule.ts'

type Headers = Readonly<Record<string, string | string[] | undefined>>

/** What a response head says. `match`: it is a ban. `bodyTest`: its body has to tell. Both null: it is none. */
export interface HeadFindings {
  readonly match: BanMatch | null
  readonly bodyTest: BodyTest | null
}

/** The rules that a status leaves to look at. */
interface Candidates {
  readonly byHead: readonly CompiledRule[]
  readonly byBody: readonly CompiledRule[]
}

const NOTHING: HeadFindings = { match: null, bodyTest: null }

/** Tells ban answers by rules, of which one is enough. The first one that fits gives its name. */
export class BanRules {
  readonly #rules: readonly CompiledRule[]
  readonly #inspect: InspectSettings
  /** At most one entry a status: 900. */
  readonly #byStatus = new Map<number, Candidates>()

  constructor(rules: readonly BanRule[], inspect: InspectSettings) {
    this.#rules = rules.map(compileRule)
    this.#inspect = inspect
  }

  /** Looks at a response head. Where no rule is left to look at the body, nothing of the response has to be held back. */
  judgeHead(method: string, hostname: string, statusCode: number, headers: Headers): HeadFindings {
    const { byHead, byBody } = this.#candidates(statusCode)
    const match = firstOf(byHead, hostname, statusCode, headers)
    if (match !== undefined) return { match: match.match, bodyTest: null }
    if (firstOf(byBody, hostname, statusCode, headers) === undefined) return NOTHING
    const open = byBody.filter((rule) => headFits(rule, hostname, statusCode, headers))
    return { match: null, bodyTest: bodyTestFor(open, this.#inspect, method, statusCode, headers) }
  }

  #candidates(statusCode: number): Candidates {
    const known = this.#byStatus.get(statusCode)
    if (known !== undefined) return known
    const rules = this.#rules.filter(({ statuses }) => statuses === null || statuses.has(statusCode))
    const candidates = { byHead: rules.filter(({ body }) => body === null), byBody: rules.filter(({ body }) => body !== null) }
    this.#byStatus.set(statusCode, candidates)
    return candidates
  }
}

/** The first rule that the head fits. Once or twice a request: an iterator would cost more than all that is compared. */
function firstOf(rules: readonly CompiledRule[], hostname: string, statusCode: number, headers: Headers): CompiledRule | undefined {
  for (let index = 0; index < rules.length; index++) {
    const rule = rules[index] as CompiledRule
    if (headFits(rule, hostname, statusCode, headers)) return rule
  }
  return undefined
}
