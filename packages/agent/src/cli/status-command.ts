import type { Command } from 'commander'
import type { Flags } from '../config-sources.ts'
import { askOnce } from '../control/control-client.ts'
import { type AgentStatus, agentStatus } from '../control/status.ts'
import { AgentError } from '../errors.ts'
import { addPlaceOptions, foldersOf, gathered } from './config-options.ts'

/** `mobilepool-agent status`. */
export function addStatusCommand(program: Command): void {
  const command = program.command('status').description('say how the running agent does; exit code 1 when one does not run or is not well')
  addPlaceOptions(command).option('--json', 'print it as JSON, one line a device').action(status)
}

async function status(flags: Flags): Promise<void> {
  for (const { name, stateDir } of foldersOf(gathered(flags))) {
    try {
      const said = agentStatus.parse(await askOnce(stateDir, 'GET', '/status'))
      if (!isWell(said)) process.exitCode = 1
      console.log(flags.json ? JSON.stringify(said) : render(said))
    } catch (error) {
      if (!(error instanceof AgentError)) throw error
      process.exitCode = 1
      console.log(flags.json ? JSON.stringify({ name, problem: error.code, detail: error.message }) : `${name}: ${error.message}`)
    }
  }
}

const isWell = ({ heartbeat, tunnel, is_leaking, is_rotating }: AgentStatus): boolean =>
  !is_leaking && (is_rotating || (heartbeat?.failure === null && (!tunnel.wanted || tunnel.sessions > 0)))

function render(status: AgentStatus): string {
  const { heartbeat, tunnel, last_rotation: last, rotations, telemetry, trouble, recoveries } = status
  const now = Date.now()
  const ago = (time: string): string => `${Math.max(0, Math.round((now - Date.parse(time)) / 1_000))} s ago`
  const rows = [
    ['device', `${status.name} (${status.driver}, agent ${status.version}, process ${status.pid})`],
    ['hub', `${status.hub}: ${heartbeat ? (heartbeat.failure ?? `heard ${ago(heartbeat.at)}`) : 'no heartbeat yet'}`],
    [
      'exit IP',
      status.is_leaking ? `${heartbeat?.exit_ip} is the host's own: nothing is let through` : (heartbeat?.exit_ip ?? 'not known'),
    ],
    ['proxy', `${status.proxy}, ${status.connections} connections, ${status.bytes_up} bytes up, ${status.bytes_down} down`],
    ['tunnel', tunnel.wanted ? `${tunnel.sessions} connections to the hub` : 'not wanted'],
    [
      'trouble',
      trouble
        ? `${trouble.found} since ${ago(trouble.since)}; tried: ${trouble.tried.join(', ') || 'nothing yet'}`
        : `none now; brought back: ${
            Object.entries(recoveries)
              .map(([by, times]) => `${times} times by ${by}`)
              .join(', ') || 'never'
          }`,
    ],
    ['rotation', status.is_rotating ? 'under way' : last ? `${renderRotation(last)}, ${ago(last.ended_at)}` : 'none since the start'],
    [
      'rotations',
      `${rotations.changed} changed, ${rotations.unchanged} unchanged, ${rotations.failed} failed; ${status.unreported} to be reported`,
    ],
    [
      'says',
      telemetry
        ? Object.entries(telemetry)
            .map(([key, value]) => `${key} ${value}`)
            .join(', ')
        : 'nothing yet',
    ],
  ]
  return rows.map(([key = '', value]) => `${key.padEnd(10)} ${value}`).join('\n')
}

/** A rotation in one line. */
export function renderRotation({
  state,
  method,
  old_ip,
  new_ip,
  took_ms,
  reason,
  detail,
}: NonNullable<AgentStatus['last_rotation']>): string {
  const how = `${method === null ? '' : ` by ${method}`} in ${(took_ms / 1_000).toFixed(1)} s`
  if (state === 'failed') return `failed (${reason}): ${detail}`
  return `${state}: ${old_ip} ${state === 'changed' ? `-> ${new_ip}` : 'as before'}${how}`
}
