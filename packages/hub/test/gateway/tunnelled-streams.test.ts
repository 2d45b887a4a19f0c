import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type GatewayStage, startGatewayStage } from './gateway-stage.ts'
import { startTunnelledDevice, type TunnelledDevice } from './tunnelled-device.ts'

/** Large bodies by gateway and tunnel. `TUNNEL_TEST_MB=1000` makes them a gigabyte each. */
const CHUNK = 1_000_000
const CHUNKS = Number(process.env.TUNNEL_TEST_MB ?? 20)
const TIME_LIMIT_MS = 60_000 + CHUNKS * 200
let stage: GatewayStage
let device: TunnelledDevice
let files: Server
let filesUrl: string
let digest: string

/** The n-th megabyte: no two are alike. */
const megabyte = (n: number): Buffer => Buffer.alloc(CHUNK, createHash('sha512').update(String(n)).digest())
function* megabytes(): Generator<Buffer> {
  for (let n = 0; n < CHUNKS; n++) yield megabyte(n)
}
const digestOf = async (stream: AsyncIterable<Buffer> | Iterable<Buffer>): Promise<string> => {
  const hash = createHash('sha256')
  for await (const chunk of stream) hash.update(chunk)
  return hash.digest('hex')
}

beforeAll(async () => {
  stage = await startGatewayStage()
  device = await startTunnelledDevice(() => stage.hub, 'seoul-01', '127.10.43.1')
  files = createServer(async (request, response) => {
    if (request.method === 'PUT') response.end(await digestOf(request))
    else Readable.from(megabytes()).pipe(response)
  }).listen(0, '127.0.0.1')
  await once(files, 'listening')
  filesUrl = `http://127.0.0.1:${(files.address() as AddressInfo).port}/`
  digest = await digestOf(megabytes())
}, TIME_LIMIT_MS)
afterAll(async () => {
  files.closeAllConnections()
  files.close()
  await device.remove()
  await stage.close()
})

describe.each([
  ['in absolute form', 'http', []],
  ['by CONNECT', 'http', ['--proxytunnel']],
  ['by SOCKS5', 'socks5h', []],
])(`${CHUNKS} MB %s`, (_form, scheme, options) => {
  const curl = (...args: string[]) => {
    const proxy = stage.proxy('anna').replace('http:', `${scheme}:`)
    return spawn('curl', ['-sS', '--max-time', String(TIME_LIMIT_MS / 1_000), ...options, '-x', proxy, ...args, filesUrl])
  }

  test(
    'come down whole',
    async () => {
      const child = curl()
      const [found] = await Promise.all([digestOf(child.stdout), once(child, 'close')])
      expect(child.exitCode).toBe(0)
      expect(found).toBe(digest)
    },
    TIME_LIMIT_MS,
  )

  test(
    'go up whole',
    async () => {
      const child = curl('-T', '-')
      Readable.from(megabytes()).pipe(child.stdin)
      let answer = ''
      child.stdout.on('data', (chunk: Buffer) => {
        answer += chunk.toString()
      })
      await once(child, 'close')
      expect(child.exitCode).toBe(0)
      expect(answer).toBe(digest)
    },
    TIME_LIMIT_MS,
  )
})
