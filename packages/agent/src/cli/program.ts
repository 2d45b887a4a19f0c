import { Command } from 'commander'
import { agentVersion } from '../version.ts'
import { addCalibrateCommand } from './calibrate-command.ts'
import { addDoctorCommand } from './doctor-command.ts'
import { addEnrollCommand } from './enroll-command.ts'
import { addHoldsCommand } from './holds-command.ts'
import { addInstallCommands } from './install-command.ts'
import { addRotateCommand } from './rotate-command.ts'
import { addRunCommand } from './run-command.ts'
import { addStatusCommand } from './status-command.ts'

const commands = [
  addEnrollCommand,
  addDoctorCommand,
  addRunCommand,
  addInstallCommands,
  addStatusCommand,
  addRotateCommand,
  addHoldsCommand,
  addCalibrateCommand,
]

/** The program `mobilepool-agent` with its commands, in the order in which a newcomer needs them. */
export function createProgram(): Command {
  const program = new Command('mobilepool-agent')
    .description('Runs on or beside a mobile device: its proxy, its heartbeats, its rotations.')
    .version(agentVersion)
  for (const add of commands) add(program)
  return program
}
