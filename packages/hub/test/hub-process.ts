import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { vi } from 'vitest'
import { type Answer, type Ask, send } from './client.ts'
import { secret, trace } from './secrets/trace.ts'

const MAIN = fileURLToPath(new URL('../dist/main.js', import.meta.url))
/** initdb in WebAssembly takes 3 s alone, and many times that beside other work. */
const START_TIMEOUT_MS = 120_000
const ADMIN_KEY = secret('mp_hub-process-admin-key-0123456789')

/** The command `mobilepool-hub` as a process of its own, that a test may kill. */
export interface HubProcess {
  readonly url: string
  /** A request to it; `key: 'admin'` is the admin's. */
  ask(path: string, ask?: Ask): Promise<Answer>
  /** Ends it as a power cut does: it does not get to know. */
  kill(): Promise<void>
}

/** Seals what the database keeps. */
export const PROCESS_SECRET_KEY = secret('a secret key of the process tests')

/** Starts the build with these variables, and waits until it serves. */
export async function startHubProcess(env: Record<string, string>): Promise<HubProcess> {
  if (!existsSync(MAIN)) throw new Error('this test runs the build: npm run build -w packages/sdk -w packages/hub')
  const child: ChildProcess = spawn(process.execPath, [MAIN, '--port', '0'], {
    env: { PATH: process.env.PATH, MOBILEPOOL_ADMIN_KEY: ADMIN_KEY, SECRET_KEY: PROCESS_SECRET_KEY, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const killOnExit = (): void => void child.kill('SIGKILL')
  process.once('exit', killOnExit)
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (chunk: Buffer) => {
      const text = chunk.toString()
      output += text
      trace({ kind: 'log', text })
    })
  const url = await vi.waitFor(
    () => {
      const found = /(http:\S+)\/\n/.exec(output)?.[1]
      if (found === undefined && child.exitCode === null) throw new Error(`not up: ${output}`)
      return found
    },
    { timeout: START_TIMEOUT_MS, interval: 50 },
  )
  if (url === undefined) throw new Error(`ended with ${child.exitCode}: ${output}`)
  return {
    url,
    ask: (path, { key, ...rest } = {}) =>
      send(url + path, { ...rest, ...(key === undefined ? {} : { key: key === 'admin' ? ADMIN_KEY : key }) }),
    async kill() {
      process.off('exit', killOnExit)
      if (child.exitCode !== null || child.signalCode !== null) return
      const exited = once(child, 'exit')
      child.kill('SIGKILL')
      await exited
    },
  }
}
