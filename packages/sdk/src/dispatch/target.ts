import type { DispatchOptions } from './handlers.ts'

/** Where a request goes. */
export interface Target {
  /** `https://example.com:8443`, never with a path. */
  readonly origin: string
  /** Name and port as a Host header has them. */
  readonly host: string
  /** Name alone; an IPv6 address without its brackets. */
  readonly hostname: string
  readonly isPlainHttp: boolean
}

/** Reads the target of a request; undefined when its origin is no http or https origin. */
export function targetOf({ origin }: DispatchOptions): Target | undefined {
  const text = typeof origin === 'string' ? origin : origin?.origin
  if (text === undefined) return undefined
  const isPlainHttp = text.startsWith('http:')
  if (!isPlainHttp && !text.startsWith('https:')) return undefined
  const start = text.indexOf('//') + 2
  const end = text.indexOf('/', start)
  const host = end < 0 ? text.slice(start) : text.slice(start, end)
  return { origin: end < 0 ? text : text.slice(0, end), host, hostname: hostnameOf(host), isPlainHttp }
}

/** Targets remembered, so that a crawl of many hosts does not grow for ever. */
const REMEMBERED_TARGETS = 10_000

/** `targetOf` that remembers what it read, because it runs once a request. */
export function createTargetLookup(): (options: DispatchOptions) => Target | undefined {
  const remembered = new Map<string, Target>()
  return (options) => {
    const { origin } = options
    if (typeof origin !== 'string') return targetOf(options)
    const known = remembered.get(origin)
    if (known !== undefined) return known
    const target = targetOf(options)
    if (target === undefined) return undefined
    if (remembered.size >= REMEMBERED_TARGETS) remembered.clear()
    remembered.set(origin, target)
    return target
  }
}

/** The name in a Host header's value, without port and brackets. */
export function hostnameOf(host: string): string {
  if (host.startsWith('[')) return host.slice(1, host.indexOf(']'))
  const colon = host.lastIndexOf(':')
  return colon < 0 ? host : host.slice(0, colon)
}
