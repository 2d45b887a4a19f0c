/**
 * The hub's side of bench/tunnel.recovery.ts: a hub, an echo target beside it, and a prober that goes by gateway and device again and again.
 * Arguments: data folder, port, port of the target, device key or `-` to enrol one. Says one JSON a line.
 */
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { createHub } from '@mobilepool/hub'

const HUB = '10.77.1.2'
const PROBE_TIMEOUT_MS = 2_000
const PAUSE_MS = 20
/** A probe that finds no device shall say so, not wait for one. */
const QUEUE_MS = 100
const adminKey = 'mp_bench-admin-key-0123456789abcdef'

const [dataDir = '', port = '0', targetPort = '0', known = '-'] = process.argv.slice(2)
const say = (line: unknown): void => void process.stdout.write(`${JSON.stringify(line)}\n`)

createServer((socket) => {
  socket.on('error', () => {})
  // Where the connection comes from: the carrier's address, if it came by the device.
  socket.once('data', () => socket.end(String(socket.remoteAddress)))
}).listen(Number(targetPort), HUB)

const hub = await createHub({
  host: HUB,
  port: Number(port),
  dataDir,
  adminKey,
  publicStatus: false,
  proxyPort: 0,
  gatewayAllowPrivate: true,
  gatewayQueueMs: QUEUE_MS,
  logLevel: 'silent',
})
const gateway = new URL(hub.gatewayUrl ?? '')
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

/** Asks the target by gateway and device who it is; throws with what the gateway says where that fails. */
async function probe(): Promise<string> {
  const socket = connect(Number(gateway.port), HUB)
  const timer = setTimeout(() => socket.destroy(new Error('too late')), PROBE_TIMEOUT_MS)
  try {
    return await answerThrough(socket)
  } finally {
    clearTimeout(timer)
    socket.on('error', () => {}).destroy()
  }
}

async function answerThrough(socket: Socket): Promise<string> {
  const target = `${HUB}:${targetPort}`
  const secret = Buffer.from(`device-${deviceId}:${adminKey}`).toString('base64')
  socket.write(`CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\nProxy-Authorization: Basic ${secret}\r\n\r\n`)
  const [head] = (await once(socket, 'data')) as [Buffer]
  if (!/^HTTP\/1\.1 200 /.test(head.toString())) throw new Error(/^x-mobilepool-error: (\S+)/im.exec(head.toString())?.[1] ?? String(head))
  socket.write('?')
  let text = ''
  for await (const chunk of socket) text += String(chunk)
  return text
}

process.on('SIGTERM', () => process.exit())
for (;;) {
  const from = Date.now()
  try {
    say({ ok: from, by: await probe() })
  } catch (error) {
    say({ failed: from, code: (error as { code?: string }).code ?? (error as Error).message })
  }
  await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
}
