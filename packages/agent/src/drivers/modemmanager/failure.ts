import { AgentError, type AgentErrorCode } from '../../errors.ts'

/** Names of ModemManager's errors (`Error.Core.Unsupported`, `Error.MobileEquipment.SimNotInserted`), and what they mean for a rotation. */
const reasons: readonly [RegExp, AgentErrorCode][] = [
  [/^Core\.Unauthorized$/, 'permission_denied'],
  [/^Core\.Unsupported$|^MobileEquipment\.Not(Supported|Allowed)$/, 'unsupported'],
  [/^Core\.(WrongState|InProgress|Retry|TooMany|Connected)$|^MobileEquipment\.SimBusy$/, 'busy'],
  [/^MobileEquipment\.Sim(NotInserted|Failure|Wrong)$/, 'sim_missing'],
  [/^MobileEquipment\.(Sim|PhSim|PhFsim)P(in|uk)|^MobileEquipment\.IncorrectPassword$/, 'sim_locked'],
  [/^MobileEquipment\.(NoNetwork|NetworkTimeout|NetworkNotAllowed|Illegal|Gprs\w*NotAllowed)/, 'no_registration'],
  [/^MobileEquipment\.(Service|UserAuthenticationFailed|GprsUnknown|PdpAuth|Unspecified)/, 'no_data_session'],
]

/** Why mmcli failed, as a reason why a rotation fails. */
export function failureOf(action: string, stderr: string): AgentError {
  const line = stderr.trim().split('\n').at(-1)?.slice(0, 300) ?? ''
  if (/couldn't find the ModemManager process/.test(line)) {
    return new AgentError('device_unreachable', 'ModemManager does not run: systemctl enable --now ModemManager.')
  }
  if (/couldn't find (modem|bearer)/.test(line)) return new AgentError('device_unreachable', 'ModemManager has lost the modem.')
  const name = /\bError\.(\w+\.\w+)/.exec(line)?.[1] ?? ''
  if (/\bDBus\.Error\.AccessDenied/.test(line)) return denied(line)
  const reason = reasons.find(([pattern]) => pattern.test(name))?.[1] ?? 'device_unreachable'
  return reason === 'permission_denied' ? denied(line) : new AgentError(reason, `mmcli ${action}: ${line}`)
}

const denied = (line: string): AgentError =>
  new AgentError('permission_denied', `This user may not control modems: run the agent as root, or allow it by polkit. ${line}`)
