/**
 * The hub's side of bench/tunnel.recovery.ts: a hub, an echo target beside it, and a prober that goes through the device again and again.
 * Arguments: data folder, port, port of the target, device key or `-` to enrol one. Says one JSON a line.
 */
import { createServer } from 'node:net'
import { createHub } from '@mobilepool/hub'

const HUB = '10.77.1.2'
const PROBE_TIMEOUT_MS = 2_000
const PAUSE_MS = 20
const adminKey = 'mp_bench-admin-key-0123456789abcdef'

const [dataDir = '', port = '0', targetPort = '0', known = '-'] = process.argv.slice(2)
const say = (line: unknown): void => void process.stdout.write(`${JSON.stringify(line)}\n`)

createServer((socket) => {
  socket.on('error', () => {})
  // Where the connection comes from: the carrier's address, if it came by the device.
  socket.once('data', () => socket.end(String(socket.remoteAddress)))
}).listen(Number(targetPort), HUB)

const hub = await createHub({ host: HUB, port: Number(port), dataDir, adminKey, publicStatus: false, proxyPort: 'off', logLevel: 'silent' })
const ask = async (path: string, body: unknown) => {
  const headers = { authorization: `Bearer ${adminKey}`, 'content-type': 'application/json' }
  return (await fetch(hub.url + path, { method: 'POST', headers, body: JSON.stringify(body) })).json()
}
let deviceId = known
if (known === '-') {
  const { token } = (await ask('/api/v1/agents/tokens', {})) as { token: string }
  const enrolled = (await ask('/api/v1/agents/enroll', { token, name: 'seoul-01', device_type: 'android', agent_version: '0' })) as {
    device_id: string
    device_key: string
  }
  deviceId = enrolled.device_id
  say({ deviceId, deviceKey: enrolled.device_key })
}
say({ ready: Date.now() })

async function probe(): Promise<string> {
  const signal = AbortSignal.timeout(PROBE_TIMEOUT_MS)
  const stream = await hub.tunnels.connect(deviceId, { host: HUB, port: Number(targetPort) }, signal)
  signal.addEventListener('abort', () => stream.destroy(new Error('too late')))
  stream.write('?')
  let text = ''
  for await (const chunk of stream) text += String(chunk)
  stream.end()
  return text
}

process.on('SIGTERM', () => process.exit())
for (;;) {
  const from = Date.now()
  try {
    say({ ok: from, by: await probe() })
  } catch (error) {
    say({ failed: from, code: (error as { code?: string }).code ?? String(error) })
  }
  await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
}
