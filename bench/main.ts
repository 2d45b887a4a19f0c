/**
 * `npm run bench`: the benchmarks, one after the other, each within its time. `-- --only sdk.pick,hub.reads`: these; `-- --write` puts the
 * results into docs/benchmarks.md; `-- --list` names them.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { parseArgs } from 'node:util'

/** What each may take, s: about four times what it takes on two quiet cores. */
const LIMITS = {
  'sdk.overhead': 300,
  'sdk.pick': 300,
  'sdk.proxy-chain': 200,
  'sdk.faults': 700,
  'sdk.redis': 120,
  'hub.heartbeats': 500,
  'hub.reads': 500,
  'hub.usage': 900,
  'hub.kill': 2_400,
  'hub.memory': 2_400,
  gateway: 600,
  'tunnel.recovery': 600,
}
type Bench = keyof typeof LIMITS

const isBench = (name: string): name is Bench => Object.hasOwn(LIMITS, name)

/** Why it failed; null: it did not. Whatever it has started ends with it. */
async function run(name: Bench, args: readonly string[]): Promise<string | null> {
  const script = new URL(`./${name}.ts`, import.meta.url).pathname
  const child = spawn(process.execPath, [script, ...args], { stdio: 'inherit', detached: true })
  const end = (): void => {
    // Its group: a benchmark that is cut short cannot end its hubs and databases itself.
    if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, 'SIGKILL')
  }
  let isLate = false
  const timer = setTimeout(() => {
    isLate = true
    end()
  }, LIMITS[name] * 1_000)
  process.once('exit', end)
  const startedAt = performance.now()
  const [code] = (await once(child, 'exit')) as [number | null]
  clearTimeout(timer)
  process.off('exit', end)
  const seconds = ((performance.now() - startedAt) / 1_000).toFixed(0)
  if (isLate) return `${name} was ended: it took more than ${LIMITS[name]} s`
  if (code !== 0) return `${name} failed after ${seconds} s`
  console.log(`\n${name} took ${seconds} s`)
  return null
}

const { values } = parseArgs({ options: { only: { type: 'string' }, write: { type: 'boolean' }, list: { type: 'boolean' } } })
const all = Object.keys(LIMITS).filter(isBench)
const asked = values.only?.split(',').map((name) => name.trim()) ?? all
const unknown = asked.filter((name) => !isBench(name))
if (unknown.length > 0) {
  console.error(`--only: there is no benchmark ${unknown.join(', ')}; there are ${all.join(', ')}`)
  process.exitCode = 2
} else if (values.list) {
  console.log(all.join('\n'))
} else {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1))
  const failures: string[] = []
  for (const name of asked.filter(isBench)) {
    const failure = await run(name, values.write ? ['--write'] : [])
    if (failure !== null) failures.push(failure)
  }
  for (const failure of failures) console.error(failure)
  process.exitCode = failures.length === 0 ? 0 : 1
}
