#!/usr/bin/env node
import { Command } from 'commander'
import { addCalibrateCommand } from './cli/calibrate-command.ts'
import { addDoctorCommand } from './cli/doctor-command.ts'
import { addEnrollCommand } from './cli/enroll-command.ts'
import { addHoldsCommand } from './cli/holds-command.ts'
import { addInstallCommands } from './cli/install-command.ts'
import { addRotateCommand } from './cli/rotate-command.ts'
import { addRunCommand } from './cli/run-command.ts'
import { addStatusCommand } from './cli/status-command.ts'
import { AgentError } from './errors.ts'
import { agentVersion } from './version.ts'

const program = new Command('mobilepool-agent')
  .description('Runs on or beside a mobile device: its proxy, its heartbeats, its rotations.')
  .version(agentVersion)

for (const add of [
  addEnrollCommand,
  addRunCommand,
  addStatusCommand,
  addRotateCommand,
  addHoldsCommand,
  addCalibrateCommand,
  addDoctorCommand,
  addInstallCommands,
])
  add(program)

try {
  await program.parseAsync()
} catch (error) {
  const isExpected = error instanceof AgentError
  console.error(isExpected ? `mobilepool-agent: ${error.message}` : error)
  process.exitCode = 1
}
