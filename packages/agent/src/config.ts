import { isIP } from 'node:net'
import { basename, join, resolve } from 'node:path'
import { deviceName, deviceType, ipAddress, label, maxTunnelSessions } from '@mobilepool/sdk/contract'
import { z } from 'zod'
import { agentHome } from './config-file.ts'
import { driverKinds } from './drivers/create-driver.ts'
import { AgentError } from './errors.ts'
import { powerOptions } from './power/options.ts'

const LISTEN_FORM = 'must be address:port, like 127.0.0.1:0 or [::1]:3128'

/** Nothing leaves this machine. `host`: as a URL has it, IPv6 in brackets. */
export const isLoopbackHost = (host: string): boolean => host === 'localhost' || host === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(host)

/** `address:port`, the address in brackets when it is IPv6. */
const listenAddress = z.string().transform((text, context) => {
  const parts = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text)
  const host = parts?.[1] ?? parts?.[2] ?? ''
  const port = Number(parts?.[3])
  if (!parts || (isIP(host) === 0 && host !== 'localhost') || port > 65_535) {
    context.addIssue({ code: 'custom', message: LISTEN_FORM })
    return z.NEVER
  }
  return { host, port }
})

/** A host that parsers can reach, with a port when it is another one there. */
const publicAddress = z
  .string()
  .regex(/^(\[[0-9a-fA-F:.]+\]|[^\s:/@[\]]+)(:\d{1,5})?$/, 'must be a host, or host:port, that parsers can reach')

const schema = z
  .strictObject({
    /** URL of the hub. */
    hub: z
      .url({ protocol: /^https?$/, error: 'must be the URL of the hub, like http://127.0.0.1:3001' })
      .refine((url) => !/[?#@]/.test(url), 'must hold no user name, query or fragment'),
    /** One-time token of the enrolment; needed on the first start only. */
    token: z.string().min(1).max(200).optional(),
    name: deviceName,
    /** Folder for the device key, the proxy password and results that the hub has not acknowledged. @default ~/.mobilepool/NAME */
    stateDir: z.string({ error: 'must be a folder' }).min(1).optional(),
    driver: z.enum(driverKinds, { error: `must be one of: ${driverKinds.join(', ')}` }),
    /** Checked by the driver. */
    driverOptions: z.record(z.string(), z.unknown(), { error: 'must be a JSON object' }).default({}),
    /** How the power of the device is switched, where it can be: makes `power_cycle` possible. */
    power: powerOptions.optional(),
    /** Where the device's proxy listens; port 0 takes a free one. @default '127.0.0.1:0' */
    listen: listenAddress.prefault('127.0.0.1:0'),
    /** Where parsers reach the proxy, when that is not where it listens; `none`: nowhere, the hub's gateway reaches the device by its tunnel. */
    advertise: publicAddress.optional(),
    /** Kind of device, as the hub shows it. @default 'generic' */
    type: deviceType.default('generic'),
    operator: label.optional(),
    region: label.optional(),
    /** Lets parsers reach private and loopback addresses. @default true for simulated devices (they have no others), else false */
    allowPrivateTargets: z.boolean().optional(),
    /** Sets the kernel's routes of the device's interface (needs root or CAP_NET_ADMIN); false: somebody else does. @default true */
    policyRoutes: z.boolean().default(true),
    /** Reaches targets that have no IPv4 address by the interface's own IPv6 address: another exit IP, which nobody verifies. @default false */
    ipv6: z.boolean().default(false),
    /** Tries to bring the device back when it has lost its connection by itself, up to a reboot. @default true */
    recovery: z.boolean().default(true),
    /** Name servers to ask through the device. @default the carrier's as the device knows them, then 1.1.1.1 and 8.8.8.8 */
    dnsServers: z.array(ipAddress).max(10).default([]),
    /** Public addresses of this host: seen as the device's exit IP they mean a leak. */
    hostAddresses: z.array(ipAddress).max(100).default([]),
    /** Keeps connections to the hub by which its gateway reaches the device, and by which orders come at once. @default true */
    tunnel: z.boolean().default(true),
    /** How many: one where the hub is near, four elsewhere; more where the link loses much. @default by the hub's address */
    tunnelSessions: z.int().min(1, 'must be 1 to 16').max(maxTunnelSessions, 'must be 1 to 16').optional(),
    /** Sends the device's key to a hub beyond this machine without TLS: only where nobody can listen on the way (a VPN). @default false */
    insecureHub: z.boolean().default(false),
    /** Milliseconds between heartbeats; the hub misses an agent after 60 s. @default 10000 */
    heartbeatMs: z.int().min(1_000).max(30_000).default(10_000),
    logLevel: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'silent']).default('info'),
  })
  .superRefine((config, context) => {
    const { protocol, hostname } = new URL(config.hub)
    if (protocol === 'http:' && !isLoopbackHost(hostname) && !config.insecureHub) {
      context.addIssue({
        code: 'custom',
        path: ['hub'],
        message: "must be https: anybody on the way could read the device's key; if nobody can (a VPN), say --insecure-hub",
      })
    }
    const isUnspecified = config.listen.host === '0.0.0.0' || config.listen.host === '::'
    if (isUnspecified && config.advertise === undefined) {
      context.addIssue({
        code: 'custom',
        path: ['advertise'],
        message: `is needed with --listen ${config.listen.host}: where do parsers reach this machine?`,
      })
    }
  })
  .transform((config) => ({
    ...config,
    stateDir: resolve(config.stateDir ?? join(agentHome(), config.name)),
    allowPrivateTargets: config.allowPrivateTargets ?? config.driver === 'simulated',
  }))

/** An agent's configuration, checked and complete. */
export type AgentConfig = z.output<typeof schema>
/** An agent's configuration as it is written: in a file, or by whoever embeds the agent. */
export type AgentConfigInput = z.input<typeof schema>

const flagOf = ([field]: readonly PropertyKey[]): string => `--${String(field).replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`

/**
 * Checks a configuration. Throws `bad_config` with every problem, each naming the field and what would be right.
 * @param whereIs says where a field is to be mended: a flag, or a line of a file
 */
export function parseConfig(input: unknown, whereIs: (path: readonly PropertyKey[]) => string = flagOf): AgentConfig {
  const parsed = schema.safeParse(input)
  if (parsed.success) return parsed.data
  const problems = parsed.error.issues.flatMap((issue) => {
    if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => `${key} (${whereIs([key])}): there is no such option`)
    const [field = ''] = issue.path.map(String)
    const isMissing = issue.code === 'invalid_type' && (input as Record<string, unknown>)[field] === undefined
    return `${issue.path.join('.')} (${whereIs(issue.path)}): ${isMissing ? 'is missing' : issue.message}`
  })
  throw new AgentError('bad_config', problems.join('\n'))
}

/** The state folder of a configuration that may lack everything else; null when it cannot be told. */
export function placeOf({
  name,
  stateDir,
}: Readonly<Record<string, unknown>>): { readonly name: string; readonly stateDir: string } | null {
  if (typeof stateDir === 'string') return { name: typeof name === 'string' ? name : basename(stateDir), stateDir: resolve(stateDir) }
  return typeof name === 'string' ? { name, stateDir: join(agentHome(), name) } : null
}

/** Where the metrics of a process are to be had: on this machine only, they name devices. Throws `bad_config`. */
export function parseMetricsAddress(text: unknown): { host: string; port: number } | null {
  if (text === undefined) return null
  const parsed = listenAddress.safeParse(text)
  if (parsed.success && (isLoopbackHost(parsed.data.host) || parsed.data.host === '::1')) return parsed.data
  throw new AgentError('bad_config', 'metrics (--metrics): must be a loopback address and a port, like 127.0.0.1:9464')
}
