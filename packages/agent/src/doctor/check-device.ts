import { randomUUID } from 'node:crypto'
import { isIP } from 'node:net'
import { systemClock } from '../clock.ts'
import { nameServersOf } from '../egress/name-servers.ts'
import { DeviceResolver } from '../egress/resolver.ts'
import { AgentError } from '../errors.ts'
import { connectToHub } from '../hub/hub-connector.ts'
import type { OpenDevice } from '../open-device.ts'
import { loadIdentity } from '../state/identity.ts'
import { dialTunnel } from '../tunnel/dial.ts'
import { hubPlaceOf } from '../tunnel/open-tunnel.ts'
import { mendHub } from './check-hub.ts'
import { type Finding, fail, ok, reasonOf, skip, warn } from './finding.ts'

const PROBE_MS = 10_000

const driverMends: Readonly<Record<string, string>> = {
  permission_denied: 'Give this user what the device asks for: the dialog on the phone, the dialout group, or root.',
  auth_failed: "Give the device's password in --driver-options.",
  device_unreachable: 'Check the cable, the address in --driver-options, and that the tool of the driver is installed.',
  unsupported: 'Take another driver: this one cannot rotate this device.',
}
const mendDriver = (error: unknown): string =>
  driverMends[error instanceof AgentError ? error.code : ''] ?? 'See the section of the driver in docs/agent.md.'

/** The driver: whether the device obeys it, its SIM, and whether it is on. */
export async function checkDriver({ driver, config, call }: OpenDevice): Promise<Finding[]> {
  const check = `driver ${config.driver}`
  try {
    const ladder = await call((signal) => driver.ladder(signal))
    const { sim, isDown, telemetry } = await call((signal) => driver.status(signal))
    const methods = [...new Set(ladder.map(({ method }) => method))].join(', ')
    if (methods === '')
      return [fail(check, 'the device cannot be rotated by it', 'Take another driver, or exec with commands of your own.')]
    const says = [telemetry.operator, telemetry.networkType].filter(Boolean).join(', ')
    const findings = [ok(check, `the device answers and rotates by ${methods}${says === '' ? '' : ` (${says})`}`)]
    if (sim === 'missing') findings.push(fail('SIM', 'there is none', 'Put a SIM in; check its tray.'))
    if (sim === 'locked') findings.push(fail('SIM', 'it asks for its PIN', 'Switch the PIN off in a phone.'))
    if (isDown) findings.push(warn('radio', 'it is switched off', 'The agent switches it on at its start.'))
    return findings
  } catch (error) {
    return [fail(check, reasonOf(error), mendDriver(error))]
  }
}

/** The way out by the device: its address, names, the exit IP, the hub's acceptance of the key, the tunnel. */
export async function checkWayOut(device: OpenDevice, hostIp: string | null): Promise<Finding[]> {
  const { driver, config, hub, dir } = device
  const source = driver.sourceAddress()
  if (source === null) {
    const what = driver.link?.name ? `${driver.link.name} has no address` : 'the device has no address'
    const mend = 'Check the name in driverOptions.interface (ip -br address), that the device is on, and its APN.'
    return [fail('interface', what, mend), ...['DNS', 'exit IP', 'key', 'tunnel'].map((check) => skip(check, 'not without an address'))]
  }
  const findings = [
    ok('interface', `traffic leaves from ${source}${driver.link?.name ? ` of ${driver.link.name}` : ''}`),
    await checkNames(device, source),
  ]
  try {
    const exitIp = await hub.echo(AbortSignal.timeout(PROBE_MS))
    findings.push(exitFinding(exitIp, [...driver.hostAddresses, ...config.hostAddresses], hostIp))
  } catch (error) {
    const isHostThere = hostIp !== null
    const mend = isHostThere ? 'The hub is there, so it is the device: its APN, its credit, its routes (ip rule).' : mendHub(error)
    return [
      ...findings,
      fail('exit IP', `the hub cannot be reached by the device: ${reasonOf(error)}`, mend),
      skip('key', 'not without the hub'),
      skip('tunnel', 'not without the hub'),
    ]
  }
  const identity = await loadIdentity(dir, config.name).catch(() => null)
  if (!identity) return [...findings, skip('key', 'not enrolled'), skip('tunnel', 'not enrolled')]
  hub.useKey(identity.deviceKey)
  findings.push(await checkKey(device))
  findings.push(config.tunnel ? await checkTunnel(device, identity.deviceKey) : ok('tunnel', 'not wanted (--no-tunnel)'))
  return findings
}

async function checkNames({ config, driver }: OpenDevice, source: string): Promise<Finding> {
  const host = new URL(config.hub).hostname.replace(/^\[|\]$/g, '')
  if (isIP(host) !== 0 || host === 'localhost') return skip('DNS', 'the hub is given by its address, so no name is asked for')
  const servers = nameServersOf(config.dnsServers, driver)
  try {
    const [address] = await new DeviceResolver(() => servers, systemClock.now).resolve(host, { v4: source, v6: null })
    return ok('DNS', `${servers[0] ?? 'the name server'} says by the device that ${host} is ${address}`)
  } catch (error) {
    const mend = 'Give name servers that can be asked from the mobile network: "dnsServers": ["1.1.1.1"].'
    return fail('DNS', `${servers.join(', ')} did not say by the device where ${host} is (${reasonOf(error)})`, mend)
  }
}

function exitFinding(exitIp: string, hostAddresses: readonly string[], hostIp: string | null): Finding {
  if (hostAddresses.includes(exitIp)) {
    const mend = "Traffic would leave by the host's own network: check the interface, and its routes (ip rule; ip route show table all)."
    return fail('exit IP', `${exitIp} is the host's own address: egress leak`, mend)
  }
  if (exitIp === hostIp) {
    const mend = 'Right on a phone whose only network is the mobile one. Else the traffic leaks: check the interface and its routes.'
    return warn('exit IP', `${exitIp} is that of this machine, too`, mend)
  }
  return ok('exit IP', `${exitIp} by the device${hostIp === null ? '' : `, ${hostIp} by the host`}`)
}

/** A report on an order that nobody gave: a hub that knows the key says that there is no such order. */
async function checkKey({ hub }: OpenDevice): Promise<Finding> {
  const report = { state: 'failed', method: null, old_ip: null, new_ip: null, reason: 'canceled', detail: null } as const
  try {
    await hub.report(randomUUID(), report, PROBE_MS)
    return ok('key', 'the hub knows this device')
  } catch (error) {
    const isUnknown = error instanceof AgentError && error.code === 'hub_unauthorized'
    const mend = isUnknown ? 'Delete device.json in the state folder, make a new token for the name, and enroll again.' : mendHub(error)
    return fail('key', reasonOf(error), mend)
  }
}

async function checkTunnel({ config, egress }: OpenDevice, deviceKey: string): Promise<Finding> {
  const place = hubPlaceOf(config.hub)
  try {
    const offer = { generation: Date.now(), slot: 0, dial: 1 }
    const connect = (signal: AbortSignal) => connectToHub(egress, place, signal)
    const dialled = await dialTunnel({ url: place.url, deviceKey, offer, connect, signal: AbortSignal.timeout(PROBE_MS) })
    dialled.socket.on('error', () => {}).destroy()
    return ok('tunnel', 'the hub takes it')
  } catch (error) {
    const mend = 'A reverse proxy in front of the hub must pass "Upgrade" on; or say --no-tunnel, where the hub can dial the device.'
    return fail('tunnel', reasonOf(error), mend)
  }
}
