import { z } from 'zod'
import { runCommand } from '../../drivers/run-command.ts'
import { AgentError } from '../../errors.ts'
import { OUR_PROTOCOL, type PrintedRoute, type PrintedRule, type RouteEntry } from './desired-routes.ts'

const TIMEOUT_MS = 5_000

const printedRoutes = z.array(
  z.object({
    type: z.string().optional(),
    dst: z.string().optional(),
    gateway: z.string().optional(),
    dev: z.string().optional(),
    table: z.string().optional(),
    prefsrc: z.string().optional(),
    scope: z.string().optional(),
    protocol: z.string().optional(),
    metric: z.number().optional(),
    flags: z.array(z.string()).optional(),
  }),
)
const printedRules = z.array(
  z.object({
    src: z.string().optional(),
    srclen: z.number().optional(),
    table: z.string().optional(),
    priority: z.number().optional(),
    protocol: z.string().optional(),
  }),
)
const printedAddresses = z.array(
  z.object({
    ifname: z.string().optional(),
    flags: z.array(z.string()).default([]),
    addr_info: z.array(z.object({ local: z.string().optional(), prefixlen: z.number().default(32) })).default([]),
  }),
)

/** An interface with one of its addresses. */
export interface PrintedAddress {
  readonly name: string
  readonly address: string
  readonly prefixLength: number
  /** A link with one other end: nobody is asked for a hardware address there. */
  readonly isPointToPoint: boolean
}

/** iproute2's `ip` for one version of IP, as far as routes of a device need it. Throws `AgentError` `unsupported` (no such program), `permission_denied`, `no_data_session`. */
export class IpTool {
  readonly #family: '-4' | '-6'
  readonly #program: string

  constructor(version: 4 | 6 = 4, program = 'ip') {
    this.#family = version === 4 ? '-4' : '-6'
    this.#program = program
  }

  /** Addresses of all interfaces. */
  async addresses(): Promise<PrintedAddress[]> {
    const links = await this.#read([this.#family, 'addr', 'show'], printedAddresses)
    return links.flatMap(({ ifname: name = '', flags, addr_info: infos }) =>
      infos.flatMap(({ local: address, prefixlen: prefixLength }) =>
        address === undefined
          ? []
          : [{ name, address, prefixLength, isPointToPoint: flags.includes('POINTOPOINT') || flags.includes('NOARP') }],
      ),
    )
  }

  /** Routes of all tables with our protocol. */
  async ownRoutes(): Promise<PrintedRoute[]> {
    return this.#read([this.#family, 'route', 'show', 'table', 'all', 'protocol', OUR_PROTOCOL], printedRoutes)
  }

  /** Default routes of all tables that somebody else has made. */
  async foreignDefaults(): Promise<PrintedRoute[]> {
    const routes = await this.#read([this.#family, 'route', 'show', 'table', 'all', 'default'], printedRoutes)
    return routes.filter(({ protocol }) => protocol !== OUR_PROTOCOL)
  }

  async rules(): Promise<PrintedRule[]> {
    return this.#read([this.#family, 'rule', 'show'], printedRules)
  }

  /** The interface by which the kernel would send to the internet from this address; null: by none. */
  async wayOf(address: string): Promise<string | null> {
    // An address of the documentation's networks stands for the internet: nothing is sent.
    const anywhere = this.#family === '-4' ? '203.0.113.1' : '2001:db8::1'
    const { exitCode, stdout } = await this.#run(['-json', this.#family, 'route', 'get', anywhere, 'from', address])
    return exitCode === 0 ? (parsed(stdout, printedRoutes)[0]?.dev ?? null) : null
  }

  /** As a person would type it. */
  commandOf(verb: 'replace' | 'add' | 'delete', { kind, words }: RouteEntry): string {
    return ['ip', this.#family, kind, verb, ...words].join(' ')
  }

  async change(verb: 'replace' | 'add' | 'delete', entry: RouteEntry): Promise<void> {
    const command = this.commandOf(verb, entry)
    const { exitCode, lastLine } = await this.#run(command.split(' ').slice(1))
    if (exitCode === 0) return
    if (/not permitted/.test(lastLine)) throw new AgentError('permission_denied', `"${command}" needs root or CAP_NET_ADMIN.`)
    throw new AgentError('no_data_session', `"${command}" was refused: ${lastLine}`)
  }

  async #read<T extends z.ZodType>(args: readonly string[], schema: T): Promise<z.output<T>> {
    const { exitCode, stdout, lastLine } = await this.#run(['-json', ...args])
    if (exitCode !== 0) throw new AgentError('unsupported', `"ip -json ${args.join(' ')}" failed: ${lastLine}`)
    return parsed(stdout, schema)
  }

  #run(args: readonly string[]): ReturnType<typeof runCommand> {
    return runCommand(this.#program, args, { signal: new AbortController().signal, timeoutMs: TIMEOUT_MS })
  }
}

/** `ip` prints nothing at all where it has nothing to say. */
function parsed<T extends z.ZodType>(stdout: string, schema: T): z.output<T> {
  try {
    return schema.parse(JSON.parse(stdout.trim() || '[]'))
  } catch (error) {
    throw new AgentError('unsupported', 'The "ip" of this machine does not print JSON: install iproute2.', { cause: error })
  }
}
