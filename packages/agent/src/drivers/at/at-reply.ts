import { AgentError } from '../../errors.ts'

/** How a modem answered one command: its lines, or the result by which it refused. */
export type AtReply = { readonly ok: true; readonly lines: readonly string[] } | { readonly ok: false; readonly refusal: string }

/** ABORTED and COMMAND NOT SUPPORT are SIMCom's. NO CARRIER and its like end calls only, and may come between other lines. */
const FINAL = /^(OK|ERROR|\+CM[ES] ERROR: .*|ABORTED|COMMAND NOT SUPPORT)$/

/** Whether this line ends a reply. */
export const isFinal = (line: string): boolean => FINAL.test(line)

/** `+CSQ` of `AT+CSQ?`: what the lines of its reply begin with; null for basic commands (`ATI`), whose lines begin with anything. */
const prefixOf = (command: string): string | null => /^AT([+^$*%#]\w+)/i.exec(command)?.[1]?.toUpperCase() ?? null

/** The reply to a command, of all lines that came until the final one: its echo and what the modem said unasked are left out. */
export function replyOf(command: string, received: readonly string[], final: string): AtReply {
  if (final !== 'OK') return { ok: false, refusal: final }
  const prefix = prefixOf(command)
  const own = received.filter((line) => line !== command && (prefix === null || isOwn(line, prefix)))
  return { ok: true, lines: own }
}

/** Identity commands (`AT+CGMI`) answer without their prefix; what is said unasked begins with another one. */
const isOwn = (line: string, prefix: string): boolean => line.toUpperCase().startsWith(`${prefix}:`) || !/^[+^$*%#]/.test(line)

// Source: device-control.md 1.2.2 (ModemManager's table of 27.007 9.2), with the texts that `AT+CMEE=2` gives instead of the numbers.
const reasons: readonly [RegExp, 'sim_missing' | 'sim_locked' | 'no_registration' | 'no_data_session' | 'unsupported' | 'busy'][] = [
  [/^(10|13|15|SIM not inserted|SIM failure|SIM wrong)$/i, 'sim_missing'],
  [/^(11|12|16|17|18|SIM PIN.* required|SIM PUK.* required|incorrect password)$/i, 'sim_locked'],
  [/^(30|31|32|103|106|107|111|112|no network service|network timeout|network not allowed.*)$/i, 'no_registration'],
  [/^(13[2-4]|148|149|unspecified GPRS error|PDP authentication failure)$/i, 'no_data_session'],
  [/^(3|4|50|operation not (allowed|supported)|incorrect parameters)$/i, 'unsupported'],
  [/^(14|SIM busy)$/i, 'busy'],
]

/** Why a modem refused a command, as a reason why a rotation fails. */
export function refusalError(command: string, refusal: string): AgentError {
  const cause = /^\+CM[ES] ERROR: (.*)$/.exec(refusal)?.[1]?.trim()
  const bare = refusal === 'ERROR' || refusal === 'COMMAND NOT SUPPORT' ? 'unsupported' : 'device_unreachable'
  const reason = cause === undefined ? bare : (reasons.find(([pattern]) => pattern.test(cause))?.[1] ?? 'device_unreachable')
  return new AgentError(reason, `The modem answers ${command} with ${refusal}.`)
}
