import type { Logger } from 'pino'
import { type Clock, within } from './clock.ts'
import type { AgentConfig } from './config.ts'
import { createDriver } from './drivers/create-driver.ts'
import type { DeviceDriver } from './drivers/driver.ts'
import { createEgress, type Egress, type Way } from './egress/egress.ts'
import { nameServersOf } from './egress/name-servers.ts'
import { DeviceResolver } from './egress/resolver.ts'
import { IpTool } from './egress/routing/ip-tool.ts'
import { PolicyRoutes } from './egress/routing/policy-routes.ts'
import { AgentError } from './errors.ts'
import { HubClient } from './hub/hub-client.ts'
import { hubConnector } from './hub/hub-connector.ts'
import { withPower } from './power/with-power.ts'
import { rotationTimes } from './rotation/times.ts'
import { PrivateDir } from './state/private-dir.ts'
import { lockState } from './state/state-lock.ts'

/** A device with all that is needed to talk through it, before anybody knows it. */
export interface OpenDevice {
  readonly config: AgentConfig
  readonly clock: Clock
  readonly random: () => number
  readonly log: Logger
  readonly dir: PrivateDir
  readonly driver: DeviceDriver
  readonly egress: Egress
  readonly hub: HubClient
  /** Calls the driver under the time-out of a device call. */
  call<T>(run: (signal: AbortSignal) => Promise<T>): Promise<T>
  close(): Promise<void>
}

/** Takes the state folder for this process and opens the device's driver and its way to the hub. */
export async function openDevice(config: AgentConfig, tools: Pick<OpenDevice, 'clock' | 'random' | 'log'>): Promise<OpenDevice> {
  const { clock } = tools
  const dir = await PrivateDir.open(config.stateDir)
  const lock = await lockState(dir.path)
  try {
    const parts = { clock, stateDir: dir, name: config.name }
    const bare = await createDriver(config.driver, config.driverOptions, parts)
    const driver = config.power ? withPower(bare, config.power, parts) : bare
    const resolver = new DeviceResolver(() => nameServersOf(config.dnsServers, driver), clock.now)
    const egress = createEgress({
      ways: waysOf(config, driver, tools),
      carry: driver.carry?.bind(driver),
      resolver,
      allowPrivateTargets: config.allowPrivateTargets,
    })
    const hub = new HubClient({ url: config.hub, connect: hubConnector(egress), now: clock.now })
    const unanswered = (): Error => new AgentError('device_unreachable', 'The device did not answer.')
    return {
      ...tools,
      config,
      dir,
      driver,
      egress,
      hub,
      call: (run) => within(clock, driver.callTimeoutMs ?? rotationTimes.deviceCallMs, run, unanswered),
      close: async () => {
        await hub.close()
        await egress.close()
        await driver.close?.()
        await lock.release()
      },
    }
  } catch (error) {
    await lock.release()
    throw error
  }
}

/** IPv4, and IPv6 where it is wanted and the device is an interface of this host. */
function waysOf(config: AgentConfig, driver: DeviceDriver, { clock, log }: Pick<OpenDevice, 'clock' | 'log'>): Way[] {
  const { link } = driver
  const routesOf = (version: 4 | 6, gateway: string | null): PolicyRoutes | null =>
    config.policyRoutes && link && link.name !== null
      ? new PolicyRoutes({ name: link.name, gateway }, { ip: new IpTool(version), clock, log })
      : null
  const ways: Way[] = [{ version: 4, source: () => driver.sourceAddress(), routes: routesOf(4, link?.gateway ?? null) }]
  if (config.ipv6 && link) ways.push({ version: 6, source: () => link.address6(), routes: routesOf(6, null) })
  return ways
}
