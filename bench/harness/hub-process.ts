import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const MAIN = fileURLToPath(new URL('../../packages/hub/dist/main.js', import.meta.url))
const START_TIMEOUT_MS = 60_000

/** Accepted as an admin key by every hub that a benchmark starts. */
export const ADMIN_KEY = 'mp_benchmark-admin-key-0123456789abcdef'

/** A hub as a process of its own, of the build. */
export interface HubProcess {
  readonly url: string
  /** What its gateway is reached by, with `USER:KEY`; null: it has none. */
  readonly gatewayUrl: string | null
  readonly pid: number
  /** Ends it; resolves when it is gone. */
  end(signal?: NodeJS.Signals): Promise<void>
}

/** Starts a hub on a free port of 127.0.0.1. `script`: another one that prints its URL as the hub does. @throws with its output when it does not come up */
export async function startHubProcess(env: Record<string, string>, script = MAIN): Promise<HubProcess> {
  if (!existsSync(script)) throw new Error(`${script} is missing: npm run build -w packages/sdk -w packages/hub`)
  const child: ChildProcess = spawn(process.execPath, [...execArgv(), script, '--port', '0'], {
    env: {
      PATH: process.env.PATH,
      SECRET_KEY: 'a secret key of the benchmarks',
      MOBILEPOOL_ADMIN_KEY: ADMIN_KEY,
      LOG_LEVEL: 'warn',
      MAX_DEVICES: '20000',
      NEW_NAMES_PER_MINUTE: '100000',
      API_RATE_LIMIT: '10000000',
      ADDRESS_RATE_LIMIT: '10000000',
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const exited = once(child, 'exit')
  const killOnExit = (): void => void child.kill('SIGKILL')
  process.once('exit', killOnExit)
  void exited.then(() => process.off('exit', killOnExit))
  let output = ''
  const url = await new Promise<string>((resolve, reject) => {
    const fail = (why: string): void => reject(new Error(`the hub ${why}: ${output}`))
    const timer = setTimeout(() => fail('did not come up'), START_TIMEOUT_MS)
    child.once('exit', (code) => fail(`ended with ${code}`))
    const take = (chunk: Buffer): void => {
      // Kept for the error message of a start that fails; afterwards the log goes where it can be seen.
      output = `${output}${chunk}`.slice(-4_000)
      const [, found] = /(https?:\/\/\S+)\/\n/.exec(output) ?? []
      if (found === undefined) return
      clearTimeout(timer)
      resolve(found)
    }
    child.stdout?.on('data', take)
    child.stderr?.on('data', (chunk: Buffer) => {
      process.stderr.write(chunk)
      output = `${output}${chunk}`.slice(-4_000)
    })
  })
  return {
    url,
    gatewayUrl: /^Gateway.* (http:\S+)$/m.exec(output)?.[1] ?? null,
    pid: child.pid ?? 0,
    async end(signal = 'SIGTERM') {
      child.kill(signal)
      await exited
    },
  }
}

/** `HUB_PROFILE=<folder>`: CPU profiles of the hubs go there. */
const execArgv = (): string[] =>
  process.env.HUB_PROFILE === undefined ? [] : ['--cpu-prof', '--cpu-prof-dir', process.env.HUB_PROFILE, '--cpu-prof-interval', '500']
