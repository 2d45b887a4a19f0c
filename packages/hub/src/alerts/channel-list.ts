import { randomBytes } from 'node:crypto'
import type { AlertChannelKind, AlertSeverity } from '@mobilepool/sdk/contract'
import type { Logger } from 'pino'
import { ZodError } from 'zod'
import type { Refusal } from '../errors.ts'
import { type AlertRecord, type ChannelRecord, type ChannelStore, isDatabaseDown } from '../store/index.ts'
import { channelKinds } from './channels/channel-kinds.ts'
import { isAtLeast } from './rule-settings.ts'

/** Each costs a queue; a fleet of any size is looked after by fewer groups of people. */
const MAX_CHANNELS = 50
const SECRET_BYTES = 24

/** What an admin sets of a channel, besides its address. */
export type ChannelChoices = Pick<ChannelRecord, 'name' | 'enabled' | 'minSeverity' | 'rules'>

/** A channel that the hub's environment asks for. */
export interface EnvironmentChannel {
  /** Stands for it in the database from start to start. */
  id: string
  kind: AlertChannelKind
  name: string
  address: Record<string, unknown>
}

export interface ChannelParts {
  store: ChannelStore
  log: Logger
  now: () => number
  newId: () => string
}

/** The channels, in memory and in the database. */
export class ChannelList {
  readonly #parts: ChannelParts
  readonly #byId = new Map<string, ChannelRecord>()
  /** Changes made by this hub. */
  #changes = 0

  private constructor(parts: ChannelParts) {
    this.#parts = parts
  }

  /** Those of the store; those of the environment are brought to what it says now. @throws HubError `database_down` */
  static async load(parts: ChannelParts, fromEnvironment: readonly EnvironmentChannel[]): Promise<ChannelList> {
    const channels = new ChannelList(parts)
    for (const channel of await parts.store.all()) {
      const isGone = channel.source === 'environment' && !fromEnvironment.some(({ id }) => id === channel.id)
      if (isGone) await parts.store.remove(channel.id)
      else channels.#byId.set(channel.id, channel)
    }
    for (const wanted of fromEnvironment) await channels.#adopt(wanted)
    return channels
  }

  /** Takes over what other hubs changed. @throws HubError `database_down` */
  async reload(): Promise<void> {
    const before = this.#changes
    const stored = await this.#parts.store.all()
    // Something was changed here meanwhile: what was read may be older.
    if (this.#changes !== before) return
    this.#byId.clear()
    for (const channel of stored) this.#byId.set(channel.id, channel)
  }

  /** Oldest first. */
  get all(): ChannelRecord[] {
    return [...this.#byId.values()]
  }

  /** By id or name. */
  find(ref: string): ChannelRecord | null {
    return this.#byId.get(ref.toLowerCase()) ?? this.all.find(({ name }) => name === ref) ?? null
  }

  /** The channels that such an alert goes to. */
  of({ rule, severity }: Pick<AlertRecord, 'rule' | 'severity'>): string[] {
    return this.all
      .filter((channel) => isOpen(channel) && isAtLeast(severity, channel.minSeverity) && (channel.rules?.includes(rule) ?? true))
      .map(({ id }) => id)
  }

  /** Adds a channel. @returns with the webhook's secret where the hub made it. @throws HubError `database_down` */
  async add(
    kind: AlertChannelKind,
    address: Record<string, unknown>,
    choices: ChannelChoices,
  ): Promise<{ channel: ChannelRecord; secret: string | null } | Refusal> {
    if (this.#byId.size >= MAX_CHANNELS)
      return { code: 'too_many_requests', detail: `There are ${MAX_CHANNELS} channels, and no more are taken: delete some.` }
    const secret = kind === 'webhook' && address.secret === undefined ? randomBytes(SECRET_BYTES).toString('base64url') : null
    const now = this.#parts.now()
    const whole = secret === null ? address : { ...address, secret }
    const channel: ChannelRecord = {
      id: this.#parts.newId(),
      kind,
      source: 'api',
      address: whole,
      target: channelKinds[kind].target(whole),
      ...choices,
      disabledReason: null,
      lastSentAt: null,
      lastError: null,
      createdAt: now,
      updatedAt: now,
    }
    const refusal = await this.#write(channel)
    return refusal ?? { channel, secret }
  }

  /** Changes some of a channel. @throws HubError `database_down` */
  async change(
    channel: ChannelRecord,
    address: Record<string, unknown>,
    choices: Partial<ChannelChoices>,
  ): Promise<ChannelRecord | Refusal> {
    const isMoved = Object.keys(address).length > 0
    if (isMoved && channel.source === 'environment')
      return { code: 'bad_request', detail: `${channel.name} is set by the hub's environment: change it there, and restart the hub.` }
    const whole = isMoved ? readAddress(channel.kind, { ...(channel.address as object), ...address }) : channel.address
    if (isRefusal(whole)) return whole
    // Whoever puts a channel right or switches it on wants it to be tried again.
    const isTriedAgain = isMoved || choices.enabled === true
    const changed: ChannelRecord = {
      ...channel,
      ...choices,
      address: whole,
      target: channelKinds[channel.kind].target(whole),
      disabledReason: isTriedAgain ? null : channel.disabledReason,
      updatedAt: this.#parts.now(),
    }
    return (await this.#write(changed)) ?? changed
  }

  /** Removes a channel and what waits for it. @throws HubError `database_down` */
  async remove(channel: ChannelRecord): Promise<Refusal | null> {
    if (channel.source === 'environment')
      return { code: 'bad_request', detail: `${channel.name} is set by the hub's environment: unset it there, and restart the hub.` }
    await this.#parts.store.remove(channel.id)
    this.#changes += 1
    this.#byId.delete(channel.id)
    return null
  }

  /** Notes how an attempt went; written soon, whatever the database does. */
  note(id: string, news: Partial<Pick<ChannelRecord, 'lastSentAt' | 'lastError' | 'disabledReason' | 'address'>>): void {
    const channel = this.#byId.get(id)
    if (!channel) return
    const changed = { ...channel, ...news }
    if (news.address !== undefined) changed.target = channelKinds[channel.kind].target(news.address)
    this.#changes += 1
    this.#byId.set(id, changed)
    this.#parts.store.note(changed).catch((error: unknown) => {
      // It stands in memory, and is written with the next attempt.
      if (!isDatabaseDown(error)) this.#parts.log.error({ err: error }, 'How a channel fares could not be written.')
    })
  }

  async #adopt({ id, kind, name, address }: EnvironmentChannel): Promise<void> {
    const known = this.#byId.get(id)
    const whole = channelKinds[kind].read(address)
    if (known && JSON.stringify(channelKinds[kind].read(known.address)) === JSON.stringify(whole)) return
    const now = this.#parts.now()
    const choices = { enabled: true, minSeverity: 'info' as AlertSeverity, rules: null, lastSentAt: null, createdAt: now, ...known }
    const channel: ChannelRecord = {
      ...choices,
      id,
      kind,
      name,
      source: 'environment',
      address: whole,
      target: channelKinds[kind].target(whole),
      disabledReason: null,
      lastError: null,
      updatedAt: now,
    }
    if (await this.#write(channel)) this.#parts.log.warn(`The channel "${name}" of the environment is left out: another has its name.`)
  }

  async #write(channel: ChannelRecord): Promise<Refusal | null> {
    if (!(await this.#parts.store.put(channel)))
      return {
        code: 'bad_request',
        detail: `name: another channel is called ${channel.name}`,
        errors: [{ field: 'name', message: 'is taken' }],
      }
    this.#changes += 1
    this.#byId.set(channel.id, channel)
    return null
  }
}

/** Whether notices go there at all. */
export const isOpen = (channel: ChannelRecord): boolean => channel.enabled && channel.disabledReason === null

const isRefusal = (value: unknown): value is Refusal => typeof value === 'object' && value !== null && 'code' in value && 'detail' in value

function readAddress(kind: AlertChannelKind, address: unknown): unknown {
  try {
    return channelKinds[kind].read(address)
  } catch (error) {
    if (!(error instanceof ZodError)) throw error
    const errors = error.issues.map((issue) => {
      const foreign = issue.code === 'unrecognized_keys' ? issue.keys.join(', ') : issue.path.join('.')
      return { field: foreign, message: issue.code === 'unrecognized_keys' ? `does not belong to a ${kind} channel` : issue.message }
    })
    const detail = errors.map(({ field, message }) => `${field} ${message}`).join('; ')
    return { code: 'bad_request', detail, errors } satisfies Refusal
  }
}
