import type { Command } from 'commander'
import type { Flags } from '../config-sources.ts'
import { examine } from '../doctor/examine.ts'
import type { Finding } from '../doctor/finding.ts'
import { addConfigOptions, addServeOptions, checkedConfigs, gathered } from './config-options.ts'

/** `mobilepool-agent doctor`. */
export function addDoctorCommand(program: Command): void {
  const command = program
    .command('doctor')
    .description('look at everything that may be wrong, and say how it is mended; exit code 1 when something is')
  addServeOptions(addConfigOptions(command)).option('--json', 'print it as JSON, one line a device').action(doctor)
}

async function doctor(flags: Flags): Promise<void> {
  const configs = checkedConfigs(gathered(flags))
  for (const config of configs) {
    const findings = await examine(config)
    if (findings.some(({ verdict }) => verdict === 'fail')) process.exitCode = 1
    console.log(flags.json ? JSON.stringify({ name: config.name, findings }) : render(config.name, findings))
  }
}

function render(name: string, findings: readonly Finding[]): string {
  const width = Math.max(...findings.map(({ check }) => check.length))
  const lines = findings.flatMap(({ check, verdict, says, mend }) => [
    `  ${verdict.padEnd(4)}  ${check.padEnd(width)}  ${says}`,
    ...(mend === null ? [] : [`  ${' '.repeat(6 + width)}-> ${mend}`]),
  ])
  return [name, ...lines].join('\n')
}
