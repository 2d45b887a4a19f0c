/** Runs `demo/main.ts` as `npm run demo` does, and waits for its end. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'

const root = join(import.meta.dirname, '..')

export interface DemoRun {
  code: number | null
  output: string
}

export async function runDemo(...flags: string[]): Promise<DemoRun> {
  const port = await freePort()
  const demo = spawn(process.execPath, ['demo/main.ts', '--port', String(port), ...flags], { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  for (const stream of [demo.stdout, demo.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      output += chunk.toString()
    })
  }
  const [code] = (await once(demo, 'close')) as [number | null]
  return { code, output }
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}
