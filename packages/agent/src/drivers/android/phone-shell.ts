import { AgentError } from '../../errors.ts'

/** A shell of the phone that may do what its user may not: adb's, root's or Shizuku's. */
export interface PhoneShell {
  /**
   * Runs a script and returns what it printed, whatever its exit code. Throws `device_unreachable` when there was no answer, or
   * `permission_denied`.
   */
  run(script: string, signal: AbortSignal): Promise<string>
  /** Throws as `run()`. */
  reboot(signal: AbortSignal): Promise<void>
}

const END = '@mobilepool-end'

/** The script with a last line that is ours: without it in the output, the phone went away in the middle. */
export const withEnd = (script: string): string => `${script}\necho ${END}`

/** What a script `withEnd` printed. Throws `device_unreachable` when its end is missing. */
export function outputUntilEnd(stdout: string): string {
  const text = stdout.replaceAll('\r\n', '\n')
  if (!text.endsWith(`${END}\n`)) throw new AgentError('device_unreachable', 'The phone went away in the middle of a command.')
  return text.slice(0, -END.length - 1)
}
