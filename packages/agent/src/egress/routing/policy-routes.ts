import type { Logger } from 'pino'
import type { Clock } from '../../clock.ts'
import { AgentError } from '../../errors.ts'
import { changes, desiredRoutes, type LinkFacts, ownRoute, ownRule, type RouteEntry, tableOf } from './desired-routes.ts'
import type { IpTool } from './ip-tool.ts'

/** How old a look may be: NetworkManager and systemd-networkd delete what they did not make. */
const LOOK_AGAIN_MS = 10_000
/** How often the log repeats that routes cannot be set. */
const TELL_AGAIN_MS = 600_000

/** The mobile interface whose traffic is to be routed. */
export interface RoutedLink {
  readonly name: string
  /** Given by whoever configured the device; null: as the host's own default route by this interface has it. */
  readonly gateway: string | null
}

/**
 * Keeps the kernel's routes such that what has the device's source address leaves by the device's interface or not at all: desired state,
 * difference, application. Only what is its own is touched. It acts when a connection is opened: after a rotation, a new address, or ten
 * seconds.
 */
export class PolicyRoutes {
  readonly #link: RoutedLink
  readonly #ip: IpTool
  readonly #clock: Pick<Clock, 'now'>
  readonly #log: Logger
  /** The address for which all is in place, and when that was seen. */
  #ready: { readonly address: string; readonly at: number } | null = null
  #applying: { readonly address: string; readonly done: Promise<boolean> } | null = null
  #toldAt: number = Number.NEGATIVE_INFINITY

  constructor(link: RoutedLink, parts: { readonly ip: IpTool; readonly clock: Pick<Clock, 'now'>; readonly log: Logger }) {
    this.#link = link
    this.#ip = parts.ip
    this.#clock = parts.clock
    this.#log = parts.log
  }

  /**
   * Resolves when the routes of this address are in place; at once while they were seen there a short time ago. Where they cannot be set
   * and the kernel sends its traffic elsewhere, the log says what to do: the connection then fails rather than leaves by another way.
   * Throws `no_data_session` when the interface has not got this address any more.
   */
  async ready(address: string): Promise<void> {
    const seen = this.#ready
    if (seen?.address !== address) await this.#apply(address)
    else if (this.#clock.now() - seen.at > LOOK_AGAIN_MS) this.#apply(address).catch(() => {})
  }

  /** Looks at once; true: something was amiss and has been put right. */
  async repair(address: string): Promise<boolean> {
    return this.#apply(address)
  }

  /** The link has been down: the kernel has dropped its routes. */
  forget(): void {
    this.#ready = null
  }

  /** Removes what is ours. Never throws: without permission nothing was set. */
  async close(): Promise<void> {
    await this.#applying?.done.catch(() => {})
    try {
      const present = await this.#present()
      for (const { verb, entry } of changes(present, [])) await this.#ip.change(verb, entry)
    } catch (error) {
      this.#log.debug({ reason: (error as Error).message }, 'the routes of the device were left')
    }
  }

  /** One at a time; what is under way for the same address is shared. */
  #apply(address: string): Promise<boolean> {
    if (this.#applying?.address === address) return this.#applying.done
    const before = this.#applying?.done.catch(() => {})
    const done = (async () => {
      await before
      return this.#applyNow(address)
    })()
    const applying = { address, done }
    this.#applying = applying
    const clear = (): void => {
      if (this.#applying === applying) this.#applying = null
    }
    done.then(clear, clear)
    return done
  }

  async #applyNow(address: string): Promise<boolean> {
    try {
      return await this.#settle(address)
    } catch (error) {
      if (!(error instanceof AgentError) || error.code !== 'unsupported') throw error
      // Not Linux, or without iproute2: the routes are the user's affair.
      this.#tell({ interface: this.#link.name }, `the routes of the device are not looked after. ${error.message}`)
      this.#ready = { address, at: this.#clock.now() }
      return false
    }
  }

  async #settle(address: string): Promise<boolean> {
    const facts = await this.#facts(address)
    const todo = changes(await this.#present(), desiredRoutes(facts))
    try {
      for (const { verb, entry } of todo) await this.#ip.change(verb, entry)
    } catch (error) {
      if (!(error instanceof AgentError) || error.code !== 'permission_denied') throw error
      await this.#tellWithout(facts, todo)
      this.#ready = { address, at: this.#clock.now() }
      return false
    }
    if (todo.length > 0) {
      const { name } = this.#link
      this.#log.info(
        { interface: name, address, gateway: facts.gateway, table: tableOf(name), changes: todo.length },
        'routes of the device set',
      )
    }
    this.#ready = { address, at: this.#clock.now() }
    return todo.length > 0
  }

  async #facts(address: string): Promise<LinkFacts> {
    const { name } = this.#link
    const addresses = await this.#ip.addresses()
    const own = addresses.find((entry) => entry.name === name && entry.address === address)
    if (!own) throw new AgentError('no_data_session', `The interface ${name} has no longer the address ${address}.`)
    const twin = addresses.find((entry) => entry.name !== name && entry.address === address)
    if (twin) {
      throw new AgentError(
        'bad_config',
        `The interfaces ${name} and ${twin.name} both have the address ${address}: the kernel cannot tell them apart. Give the sticks different LAN addresses on their web pages, or each a network namespace.`,
      )
    }
    return { name, address, prefixLength: own.prefixLength, gateway: await this.#gateway(own.isPointToPoint) }
  }

  async #gateway(isPointToPoint: boolean): Promise<string | null> {
    const { name, gateway } = this.#link
    if (gateway !== null) return gateway
    const ways = (await this.#ip.foreignDefaults()).filter(({ dev }) => dev === name)
    const named = ways.find((way) => way.gateway !== undefined)?.gateway
    if (named !== undefined) return named
    if (isPointToPoint || ways.length > 0) return null
    throw new AgentError(
      'no_data_session',
      `Nobody says where traffic goes on ${name}: it has no default route. Give driverOptions.gateway, the address of the modem's or stick's end.`,
    )
  }

  async #present(): Promise<RouteEntry[]> {
    const table = tableOf(this.#link.name)
    const [rules, routes] = await Promise.all([this.#ip.rules(), this.#ip.ownRoutes()])
    const entries = [...rules.map((rule) => ownRule(rule, table)), ...routes.map((route) => ownRoute(route, table))]
    return entries.filter((entry) => entry !== null)
  }

  /** Somebody else may have set routes that do; if not, whoever may is told the commands. */
  async #tellWithout({ name, address }: LinkFacts, todo: ReturnType<typeof changes>): Promise<void> {
    const way = await this.#ip.wayOf(address)
    if (way === name) return
    const commands = todo.map(({ verb, entry }) => this.#ip.commandOf(verb, entry))
    const where = way === null ? 'nowhere' : `by ${way}`
    this.#tell(
      { interface: name, address, commands },
      `the kernel sends ${where} what has the address of ${name}: run the agent as root or with CAP_NET_ADMIN, or run these commands as root`,
    )
  }

  #tell(facts: object, message: string): void {
    if (this.#clock.now() < this.#toldAt + TELL_AGAIN_MS) return
    this.#toldAt = this.#clock.now()
    this.#log.error(facts, message)
  }
}
