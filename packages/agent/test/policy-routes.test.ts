import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Logger, pino } from 'pino'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { systemClock } from '../src/clock.ts'
import { IpTool } from '../src/egress/routing/ip-tool.ts'
import { PolicyRoutes } from '../src/egress/routing/policy-routes.ts'
import { CarrierNetwork, INNER, run, whyNot } from './namespaces/carrier-network.ts'

const missing = whyNot()
if (missing !== null) console.log(`skipped: routes that cannot be set, in network namespaces, since ${missing}`)

describe.skipIf(missing !== null)('the routes of a device', () => {
  const folder = mkdtempSync(join(tmpdir(), 'mp-routes-'))
  const logged: { msg: string; commands?: string[] }[] = []
  const log: Logger = pino({}, { write: (line) => void logged.push(JSON.parse(line)) })
  let network: CarrierNetwork

  /** The real `ip` inside the host's namespace, by this command before it. */
  const ipBy = (before: readonly string[] = [], version: 4 | 6 = 4): IpTool => {
    const file = join(folder, `ip-${before.length}`)
    writeFileSync(file, `#!/bin/sh\nexec ip netns exec ${network.host} ${before.join(' ')} ip "$@"\n`)
    chmodSync(file, 0o755)
    return new IpTool(version, file)
  }
  const routes = (ip: IpTool, name = 'wwan0', gateway: string | null = '10.64.0.1'): PolicyRoutes =>
    new PolicyRoutes({ name, gateway }, { ip, clock: systemClock, log })

  beforeAll(() => {
    network = new CarrierNetwork()
  })
  afterAll(() => {
    network.remove()
    rmSync(folder, { recursive: true, force: true })
  })

  test('are told as commands where they may not be set, and those commands set them', async () => {
    await routes(ipBy(['setpriv', '--bounding-set=-net_admin', '--inh-caps=-net_admin'])).ready(INNER)
    const [line, ...others] = logged
    expect(others).toEqual([])
    expect(line?.msg).toMatch(/^the kernel sends by eth0 what has the address of wwan0: run the agent as root or with CAP_NET_ADMIN/)
    for (const command of line?.commands ?? []) run(`ip netns exec ${network.host} ${command}`)
    expect(await ipBy().wayOf(INNER)).toBe('wwan0')
    // By then there is nothing to do, nor to be told.
    expect(await routes(ipBy()).repair(INNER)).toBe(false)
    await routes(ipBy()).close()
    expect(await ipBy().wayOf(INNER)).toBe('eth0')
  })

  test('find the gateway in the host’s own default route by the interface, and say when there is none', async () => {
    await expect(routes(ipBy(), 'wwan0', null).ready(INNER)).rejects.toMatchObject({
      code: 'no_data_session',
      message: expect.stringContaining('Give driverOptions.gateway'),
    })
    run(`ip -n ${network.host} route add default via 10.64.0.1 dev wwan0 metric 700`)
    const found = routes(ipBy(), 'wwan0', null)
    expect(await found.repair(INNER)).toBe(true)
    expect(await ipBy().wayOf(INNER)).toBe('wwan0')
    await found.close()
  })

  test('refuse two interfaces of one address, which the kernel cannot tell apart', async () => {
    run(`ip -n ${network.host} addr add ${INNER}/32 dev eth0`)
    await expect(routes(ipBy()).ready(INNER)).rejects.toMatchObject({
      code: 'bad_config',
      message: expect.stringMatching(/wwan0 and eth0 both have the address 10\.64\.0\.2/),
    })
    run(`ip -n ${network.host} addr del ${INNER}/32 dev eth0`)
  })

  test('refuse an address that the interface has no longer', async () => {
    await expect(routes(ipBy()).ready('10.64.0.9')).rejects.toMatchObject({ code: 'no_data_session' })
  })

  test('are left to the user where there is no ip, which is said once', async () => {
    logged.length = 0
    const without = routes(new IpTool(4, '/nonexistent/ip'))
    await without.ready(INNER)
    await without.repair(INNER)
    expect(logged.map(({ msg }) => msg)).toEqual([expect.stringContaining('There is no program /nonexistent/ip')])
  })
})
