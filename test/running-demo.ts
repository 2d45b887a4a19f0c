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

export const runDemo = (...flags: string[]): Promise<DemoRun> => run(flags, () => {})

/** Ends it with what a terminal's Ctrl-C is: SIGINT to all of its process group, once its output matches. */
export function runDemoUntilCtrlC(isTime: RegExp): Promise<DemoRun> {
  let isSent = false
  return run([], (group, output) => {
    if (isSent || !isTime.test(output)) return
    isSent = true
    process.kill(-group, 'SIGINT')
  })
}

async function run(flags: readonly string[], onOutput: (group: number, output: string) => void): Promise<DemoRun> {
  const port = await freePort()
  const demo = spawn(process.execPath, ['demo/main.ts', '--port', String(port), ...flags], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true, // leads a process group of its own
  })
  let output = ''
  for (const stream of [demo.stdout, demo.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      output += chunk.toString()
      if (demo.pid !== undefined) onOutput(demo.pid, output)
    })
  }
  const [code] = (await once(demo, 'close')) as [number | null]
  return { code, output }
}
