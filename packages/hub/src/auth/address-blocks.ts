import { limitKey, networkMatcher } from '../fleet/address.ts'
import { RateLimit } from '../rate-limit.ts'
import type { BlockRecord, BlockStore } from '../store/index.ts'

/** Refusals are counted over this time. */
const WINDOW_MS = 600_000
const MOST_MS = 86_400_000
/** How long it is remembered that an address was blocked, so that the next time is longer. */
const REMEMBER_MS = 7 * 86_400_000
/** Blocks in memory; when there are more, the one that was made longest ago is forgotten here (it stays in the database). */
const MAX_BLOCKS = 10_000
const LOOPBACK = ['127.0.0.0/8', '::1']

export interface AddressBlocksParts {
  store: BlockStore
  /** Proxies before the hub: all the world comes from their addresses. */
  trustProxy: readonly string[]
  /** May change while the hub runs. `after`: refusals within ten minutes; 0: never. `firstMs`: how long the first time. */
  settings: () => { after: number; firstMs: number }
  now: () => number
}

/**
 * Keeps out addresses that were refused too often. Loopback and trusted proxies are never blocked; who brings a good key is let through
 * by the caller of this class: many phones share one carrier's address.
 */
export class AddressBlocks {
  readonly #parts: AddressBlocksParts
  readonly #isExempt: (address: string) => boolean
  readonly #refusals = new RateLimit(1, WINDOW_MS)
  #blocks = new Map<string, BlockRecord>()

  private constructor(parts: AddressBlocksParts) {
    this.#parts = parts
    this.#isExempt = networkMatcher([...parts.trustProxy, ...LOOPBACK])
  }

  /** @throws HubError `database_down` */
  static async load(parts: AddressBlocksParts): Promise<AddressBlocks> {
    const blocks = new AddressBlocks(parts)
    await blocks.reload()
    return blocks
  }

  /** Takes over what the database has: another hub may have blocked or lifted. @throws HubError `database_down` */
  async reload(): Promise<void> {
    const stored = await this.#parts.store.since(this.#parts.now() - REMEMBER_MS)
    this.#blocks = new Map(stored.toReversed().map((block) => [block.address, block]))
  }

  /** Blocks that are in force, newest first. */
  get list(): BlockRecord[] {
    const now = this.#parts.now()
    return [...this.#blocks.values()].filter((block) => isInForce(block, now)).toSorted((a, b) => b.createdAt - a.createdAt)
  }

  /** The block that keeps an address out; null: none. */
  find(address: string): BlockRecord | null {
    if (this.#blocks.size === 0) return null
    const block = this.#blocks.get(limitKey(address))
    return block && isInForce(block, this.#parts.now()) ? block : null
  }

  /** Counts a refusal; the block that it leads to, or null. @throws HubError `database_down`; the block holds here all the same */
  async refused(address: string): Promise<BlockRecord | null> {
    const { settings, now } = this.#parts
    const { after, firstMs } = settings()
    if (after === 0 || this.#isExempt(address) || this.find(address)) return null
    const key = limitKey(address)
    if (this.#refusals.take(key, now(), after) === 0 && this.#refusals.state(key, now(), after).left > 0) return null
    this.#refusals.clear(key)
    const times = (this.#blocks.get(key)?.times ?? 0) + 1
    const reason = `${after} refused requests within ten minutes`
    return this.#put({
      address: key,
      reason,
      times,
      createdAt: now(),
      until: now() + Math.min(MOST_MS, firstMs * 2 ** Math.min(20, times - 1)),
      liftedAt: null,
    })
  }

  /** Ends a block, and forgets its address's past; false: there was none. @throws HubError `database_down` */
  async lift(address: string): Promise<boolean> {
    const { now } = this.#parts
    const block = this.#blocks.get(address) ?? this.#blocks.get(limitKey(address))
    if (!block || !isInForce(block, now())) return false
    await this.#put({ ...block, times: 0, liftedAt: now() })
    return true
  }

  /** Deletes what is past its time. @throws HubError `database_down` */
  prune(): Promise<void> {
    return this.#parts.store.prune(this.#parts.now() - REMEMBER_MS)
  }

  async #put(block: BlockRecord): Promise<BlockRecord> {
    this.#blocks.delete(block.address)
    this.#blocks.set(block.address, block)
    if (this.#blocks.size > MAX_BLOCKS) this.#blocks.delete(this.#blocks.keys().next().value ?? block.address)
    await this.#parts.store.put(block)
    return block
  }
}

const isInForce = ({ until, liftedAt }: BlockRecord, now: number): boolean => liftedAt === null && until > now
