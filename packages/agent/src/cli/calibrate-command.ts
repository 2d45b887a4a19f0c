import type { Command } from 'commander'
import { z } from 'zod'
import type { Flags } from '../config-sources.ts'
import { askAgent, askOnce } from '../control/control-client.ts'
import { agentStatus } from '../control/status.ts'
import { AgentError } from '../errors.ts'
import { calibration, costOf } from '../holds/calibrate.ts'
import { holdRow } from '../holds/hold-book.ts'
import { addPlaceOptions, gathered, onlyFolder } from './config-options.ts'
import { render } from './holds-command.ts'
import { renderRotation } from './status-command.ts'

const step = z.object({ hold_ms: z.int(), rotation: agentStatus.shape.last_rotation.unwrap() })

/** `mobilepool-agent calibrate`. */
export function addCalibrateCommand(program: Command): void {
  const command = program
    .command('calibrate')
    .description('find out how long the device must be off, by rotating it many times; without --yes it only says what that costs')
  addPlaceOptions(command)
    .option('--holds <seconds>', 'the holds to try, with commas between them (default 2,4,6,15,40)')
    .option('--rounds <count>', 'how often each is tried, 1 to 30 (default 5)', Number)
    .option('--pause <seconds>', 'between two rotations (default 5)', Number)
    .option('--yes', 'do it')
    .action(run)
}

async function run(flags: Flags): Promise<void> {
  const { holds, rounds, pause, yes, ...others } = flags
  const asked = calibration.safeParse({
    ...(typeof holds === 'string' ? { holds_ms: holds.split(',').map((text) => Math.round(Number(text) * 1_000)) } : {}),
    ...(rounds === undefined ? {} : { rounds }),
    ...(pause === undefined ? {} : { pause_ms: Math.round(Number(pause) * 1_000) }),
  })
  if (!asked.success)
    throw new AgentError('bad_config', `--holds, --rounds, --pause: ${asked.error.issues.map(({ message }) => message).join('; ')}`)
  const { name, stateDir } = onlyFolder(gathered(others))
  const { rotations, minutes } = costOf(asked.data)
  console.log(
    `${name}: ${rotations} rotations in about ${minutes} min; each cuts what goes through the device, and its carrier sees them all.`,
  )
  if (yes !== true) {
    console.log('Nothing was done. Say --yes to do it.')
    process.exitCode = 1
    return
  }
  for await (const line of askAgent(stateDir, 'POST', '/calibrate', asked.data)) {
    const { hold_ms, rotation } = step.parse(line)
    console.log(`${String(hold_ms / 1_000).padStart(6)} s  ${renderRotation(rotation)}`)
  }
  console.log(render(name, z.array(holdRow).parse(await askOnce(stateDir, 'GET', '/holds'))))
}
