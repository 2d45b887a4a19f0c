/** Runs `demo/main.ts` as `npm run demo` does, and waits for its end. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { freePort } from './processes.ts'

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
