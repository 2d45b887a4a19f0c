import { createHash } from 'node:crypto'
import type { PoolFront, Wish } from '@mobilepool/sdk/gateway'
import type { Client } from './usage-batches.ts'
import type { Choices } from './user-name.ts'

/** Wishes remembered, of some hundred bytes; when there are more, the one unused for longest is made anew. */
const MAX_WISHES = 10_000

export interface WishesParts {
  front: Pick<PoolFront, 'wish'>
  /** Of a session whose user name says none, ms. */
  sessionMs: number
  /** How long a request waits for a device, ms. */
  queueMs: number
}

/** Makes of the choices in user names what is asked of the pool: once a name, since a client says the same with every request. */
export class Wishes {
  readonly #parts: WishesParts
  readonly #known = new Map<string, Wish>()
  /** The choices without the label for people, as text. */
  readonly #texts = new WeakMap<Choices, string>()

  constructor(parts: WishesParts) {
    this.#parts = parts
  }

  /** What a client asks. Sessions of different users are different ones. Throws `MP_OPTIONS` when a name is too long. */
  of(choices: Choices, client: Client): Wish {
    const key = `${client.reporter} ${client.address} ${this.#textOf(choices)}`
    const wish = this.#known.get(key) ?? this.#make(choices, client)
    this.#known.delete(key)
    this.#known.set(key, wish)
    if (this.#known.size > MAX_WISHES) this.#known.delete(this.#known.keys().next().value ?? key)
    return wish
  }

  #textOf(choices: Choices): string {
    const known = this.#texts.get(choices)
    if (known !== undefined) return known
    const { user: _, ...asked } = choices
    const text = JSON.stringify(asked)
    this.#texts.set(choices, text)
    return text
  }

  #make(choices: Choices, client: Client): Wish {
    const { sessionMs, queueMs } = this.#parts
    const { country, operator, region, device, tags, session, ttlMs, strict, rotate, reportsItself } = choices
    return this.#parts.front.wish({
      owner: reportsItself ? { ...client, reportsItself } : client,
      queueTimeoutMs: queueMs,
      filter: {
        ...(operator === null ? {} : { operator }),
        ...(region === null ? {} : { region }),
        ...(tags.length === 0 ? {} : { tags }),
      },
      ...(device === null ? {} : { devices: device }),
      ...(country === null ? {} : { suits: ({ region: own, tags: all }) => [own, ...all].some((text) => text?.toUpperCase() === country) }),
      ...(session === null
        ? {}
        : {
            session: { key: sessionKey(session, choices, client), ttlMs: ttlMs ?? sessionMs, onIpChange: strict ? 'fail' : 'follow' },
            rotatesAfter: rotate,
          }),
    })
  }
}

/** Readable in messages, and its own for each user and each choice of devices: nobody gets into another's session. */
function sessionKey(session: string, { country, operator, region, device, tags }: Choices, { reporter }: Client): string {
  const all = JSON.stringify([reporter, country, operator, region, device, tags])
  return `${session}@${createHash('sha256').update(all).digest('base64url').slice(0, 22)}`
}
