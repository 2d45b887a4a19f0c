import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findLeaks } from './leaks.ts'
import { TRACE_FOLDER, type Traced } from './trace.ts'

/**
 * Runs around all tests of the hub: they note every log line and every answer of the hubs that they start, and when the last one is over
 * no secret may be in any of it. What it throws fails the run.
 */
export default function keepSecrets(): () => void {
  const folder = mkdtempSync(join(tmpdir(), 'mobilepool-trace-'))
  process.env[TRACE_FOLDER] = folder
  return () => {
    const lines = readdirSync(folder).flatMap((file) => readFileSync(join(folder, file), 'utf8').split('\n'))
    rmSync(folder, { recursive: true, force: true })
    const leaks = findLeaks(lines.filter((line) => line !== '').map((line) => JSON.parse(line) as Traced))
    if (leaks.length > 0) throw new Error(`Secrets turned up where they must not be:\n  ${leaks.join('\n  ')}`)
  }
}
