/** The device's side of bench/tunnel.recovery.ts: the agent's tunnel and its heartbeats, by the one address of its namespace. Arguments: hub's URL, device key. */
import { systemClock } from '../../packages/agent/src/clock.ts'
import { createEgress } from '../../packages/agent/src/egress/egress.ts'
import { DeviceResolver } from '../../packages/agent/src/egress/resolver.ts'
import { connectToHub } from '../../packages/agent/src/hub/hub-connector.ts'
import { TunnelExits } from '../../packages/agent/src/tunnel/exits.ts'
import { Tunnel } from '../../packages/agent/src/tunnel/tunnel.ts'

const DEVICE = '10.77.2.2'
const BEAT_MS = 5_000
const [url = '', deviceKey = ''] = process.argv.slice(2)
const { hostname, port } = new URL(url)
const log = (line: object, message: string): void => void process.stderr.write(`${JSON.stringify({ at: Date.now(), ...line, message })}\n`)
const sourceAddress = (): string => DEVICE
const egress = createEgress({
  ways: [{ version: 4, source: sourceAddress, routes: null }],
  resolver: new DeviceResolver(() => [], Date.now),
  allowPrivateTargets: true,
})
const exits = new TunnelExits(egress)
const tunnel = new Tunnel({
  clock: systemClock,
  random: Math.random,
  log: { info: log, debug: log, warn: log } as never,
  url,
  deviceKey,
  sessions: 4,
  connect: (signal) => connectToHub(egress, { host: hostname, port: Number(port), isTls: false }, signal),
  sourceAddress,
  onConnect: (stream, authority) => void exits.serve(stream, authority),
  onControl: (stream) => stream.respond({ ':status': 200 }),
})
/** Without them the device is not online, and gets no traffic. */
const beat = (): void => {
  const headers = { authorization: `Bearer ${deviceKey}`, 'content-type': 'application/json' }
  const body = JSON.stringify({ agent_version: '0', proxy_url: null, methods: [] })
  const signal = AbortSignal.timeout(BEAT_MS)
  void fetch(`${url}/api/v1/agents/heartbeat`, { method: 'POST', headers, body, signal }).then(
    async (reply) => tunnel.seenAs(((await reply.json()) as { remote_ip: string }).remote_ip),
    () => {},
  )
}
beat()
setInterval(beat, BEAT_MS)
await tunnel.run(new AbortController().signal)
