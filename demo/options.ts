/** The demo's command line. */
import { Command, InvalidArgumentError } from 'commander'

const sabotages = ['wrong-answers', 'lose-requests'] as const
export type Sabotage = (typeof sabotages)[number]

export interface DemoOptions {
  /** Milliseconds to run; `undefined`: until Ctrl-C. */
  forMs: number | undefined
  port: number
  /** Make `omsk-05`'s proxy do this, to see the demo's checks fail. */
  sabotage: Sabotage | undefined
  /** Send SIGKILL to this device's agent after `killAfterMs`. */
  kill: string | undefined
}

export function parseOptions(argv: readonly string[], devices: readonly string[]): DemoOptions {
  const command = new Command('npm run demo --')
    .description('A hub, five simulated devices and a parser at work on this machine. Ends with totals; exit code 1 when they are wrong.')
    .option('--for <time>', 'run so long (30s, 2m); default: until Ctrl-C', parseTime)
    .option('--port <number>', 'port of the hub and its page on 127.0.0.1', parsePort, 3001)
    .option('--kill <device>', `after 5 seconds kill -9 this device's agent (${devices.join(', ')})`, oneOf(devices))
    .option('--sabotage <kind>', `make one device's proxy misbehave, to see the checks fail (${sabotages.join(', ')})`, oneOf(sabotages))
    .allowExcessArguments(false)
    .parse(argv, { from: 'user' })
  const { for: forMs, ...rest } = command.opts<{ for?: number; port: number; kill?: string; sabotage?: Sabotage }>()
  return { forMs, port: rest.port, sabotage: rest.sabotage, kill: rest.kill }
}

/** The demo remembers every request until its end; a timer would take at most 24 days. */
const longestMs = 24 * 3_600_000

function parseTime(text: string): number {
  const [, amount, unit] = /^(\d+)(s|m)$/.exec(text) ?? []
  const ms = Number(amount) * (unit === 'm' ? 60_000 : 1000)
  if (!amount || ms === 0 || ms > longestMs) throw new InvalidArgumentError('Give a time like 30s or 2m, at most a day.')
  return ms
}

function parsePort(text: string): number {
  const port = Number(text)
  if (!Number.isInteger(port) || port < 1 || port > 65_535) throw new InvalidArgumentError('Give a port between 1 and 65535.')
  return port
}

const oneOf =
  <T extends string>(choices: readonly T[]) =>
  (text: string): T => {
    const choice = choices.find((candidate) => candidate === text)
    if (!choice) throw new InvalidArgumentError(`Choose one of ${choices.join(', ')}.`)
    return choice
  }
