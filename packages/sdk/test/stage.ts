import { MobilePool, type MobilePoolOptions, type PoolEvents } from '@mobilepool/sdk'
import { afterEach } from 'vitest'
import { eventually } from './eventually.ts'
import { localhostCertificate } from './servers/certificate.ts'
import { type FakeHub, startFakeHub } from './servers/fake-hub.ts'
import { type FaultyProxy, type FaultyProxyOptions, startFaultyProxy } from './servers/faulty-proxy.ts'
import { type Origin, type OriginOptions, startOrigin } from './servers/origin.ts'
import { type Site, type SiteAnswer, startSite } from './servers/site.ts'
import { type SocksProxy, type SocksProxyOptions, startSocksProxy } from './servers/socks-proxy.ts'

/** Names of the cast, each with an exit IP of its own. */
const exitIps = {
  'seoul-01': '127.10.1.1',
  'moscow-07': '127.10.7.1',
  'busan-03': '127.10.3.1',
  'kazan-02': '127.10.2.1',
  'omsk-05': '127.10.5.1',
}
export type CastName = keyof typeof exitIps

/** Origins, devices and pools of one test file. After each test pools are closed, and no connection to a device may be left. */
export class Stage {
  readonly #servers: { close(): Promise<void> }[] = []
  readonly #devices: (FaultyProxy | SocksProxy)[] = []
  readonly #pools: MobilePool[] = []

  constructor() {
    afterEach(() => this.#strike())
  }

  async origin(options?: OriginOptions): Promise<Origin> {
    const origin = await startOrigin(options)
    this.#servers.push(origin)
    return origin
  }

  /** A site whose answers the test writes itself. */
  async site(answer: SiteAnswer, options?: { tls?: boolean }): Promise<Site> {
    const site = await startSite(answer, options)
    this.#servers.push(site)
    return site
  }

  async hub(): Promise<FakeHub> {
    const hub = await startFakeHub()
    this.#servers.push(hub)
    return hub
  }

  /** A device of the cast: a proxy whose egress is its exit IP. */
  async device(name: CastName, options: FaultyProxyOptions = {}): Promise<FaultyProxy & { readonly id: CastName }> {
    const proxy = await startFaultyProxy({ egress: exitIps[name], ...options })
    this.#servers.push(proxy)
    this.#devices.push(proxy)
    return Object.defineProperty(proxy, 'id', { value: name }) as FaultyProxy & { readonly id: CastName }
  }

  /** A device of the cast that speaks SOCKS5. */
  async socksDevice(name: CastName, options: SocksProxyOptions = {}): Promise<SocksProxy & { readonly id: CastName }> {
    const proxy = await startSocksProxy({ egress: exitIps[name], ...options })
    this.#servers.push(proxy)
    this.#devices.push(proxy)
    return Object.defineProperty(proxy, 'id', { value: name }) as SocksProxy & { readonly id: CastName }
  }

  /** So many devices with exit IPs of their own, when the cast is too small. */
  async fleet(count: number): Promise<(FaultyProxy & { readonly id: string })[]> {
    const proxies = await Promise.all(Array.from({ length: count }, (_, index) => startFaultyProxy({ egress: `127.11.${index + 1}.1` })))
    this.#servers.push(...proxies)
    this.#devices.push(...proxies)
    return proxies.map(
      (proxy, index) => Object.defineProperty(proxy, 'id', { value: `exit-${index}` }) as FaultyProxy & { readonly id: string },
    )
  }

  /** A pool over these devices; round-robin, so that the first request goes to the first. */
  pool(devices: readonly { readonly id: string; readonly url: string }[], options: MobilePoolOptions = {}): MobilePool {
    return this.open({ devices: devices.map(({ id, url }) => ({ id, url })), balancer: 'round-robin', ...options })
  }

  open(options: MobilePoolOptions): MobilePool {
    const pool = new MobilePool({ requestTls: { ca: localhostCertificate.cert }, ...options })
    this.#pools.push(pool)
    return pool
  }

  async #strike(): Promise<void> {
    await Promise.all(this.#pools.splice(0).map((pool) => pool.close({ timeoutMs: 2_000 })))
    const devices = this.#devices.splice(0)
    await eventually('no connection to a device is left', () => devices.every(({ sockets }) => sockets.size === 0))
    await Promise.all(this.#servers.splice(0).map((server) => server.close()))
  }
}

/** Collects the events of one name. */
export function collect<Name extends keyof PoolEvents>(pool: MobilePool, name: Name): PoolEvents[Name][0][] {
  const events: PoolEvents[Name][0][] = []
  pool.on(name, (...[event]) => events.push(event))
  return events
}
