import { appendFileSync } from 'node:fs'
import { join } from 'node:path'

/** Set by `check.ts` for the whole run: the folder in which each worker notes what its hubs said. */
export const TRACE_FOLDER = 'MOBILEPOOL_TEST_TRACE'

/** One line of a worker's file. */
export type Traced =
  /** A secret that a test uses: from now on it may be nowhere. */
  | { kind: 'secret'; value: string }
  /** Lines of a hub's log. */
  | { kind: 'log'; text: string }
  /** An answer of a hub, with its head. */
  | { kind: 'answer'; method: string; path: string; text: string }

/** Notes it for the check at the end of the run; does nothing where a test runs without it. */
export function trace(traced: Traced): void {
  const folder = process.env[TRACE_FOLDER]
  if (folder !== undefined) appendFileSync(join(folder, `${process.pid}.ndjson`), `${JSON.stringify(traced)}\n`)
}

/** Every secret that tests make up goes through here: no log line and no answer of the whole suite may have it. */
export function secret(value: string): string {
  trace({ kind: 'secret', value })
  return value
}
