import type { Command } from 'commander'
import { z } from 'zod'
import type { Flags } from '../config-sources.ts'
import { askOnce } from '../control/control-client.ts'
import { AgentError } from '../errors.ts'
import { HoldBook, type HoldRow, holdRow } from '../holds/hold-book.ts'
import { PrivateDir } from '../state/private-dir.ts'
import { addPlaceOptions, foldersOf, gathered } from './config-options.ts'

/** `mobilepool-agent holds`. */
export function addHoldsCommand(program: Command): void {
  const command = program
    .command('holds')
    .description('show how long the device must be off to get a new exit IP, as its rotations have taught')
  addPlaceOptions(command).option('--json', 'print it as JSON, one line a device').action(holds)
}

async function holds(flags: Flags): Promise<void> {
  for (const { name, stateDir } of foldersOf(gathered(flags))) {
    const rows = await askOnce(stateDir, 'GET', '/holds').then(
      (answer) => z.array(holdRow).parse(answer),
      async (error: unknown) => {
        if (!(error instanceof AgentError) || error.code !== 'not_running') throw error
        return (await HoldBook.open(await PrivateDir.open(stateDir), '')).table()
      },
    )
    console.log(flags.json ? JSON.stringify({ name, holds: rows }) : render(name, rows))
  }
}

/** The holds of a device as a table. */
export function render(name: string, rows: readonly HoldRow[]): string {
  if (rows.length === 0) return `${name}: no rotation has taught anything yet`
  const cells = rows.map((row) => [
    row.carrier === '' ? '?' : row.carrier,
    row.method,
    `${row.hold_ms / 1_000} s`,
    `${row.changed}/${row.tries}`,
    `${Math.round((100 * row.changed) / Math.max(1, row.tries))} %`,
    `${(row.took_ms / 1_000).toFixed(1)} s`,
    row.verdict,
  ])
  const header = ['carrier', 'method', 'hold', 'changed', 'share', 'takes', 'verdict']
  const all = [header, ...cells]
  const widths = header.map((_, column) => Math.max(...all.map((line) => line[column]?.length ?? 0)))
  return [name, ...all.map((line) => `  ${line.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ')}`.trimEnd())].join('\n')
}
