import { AgentError, type AgentErrorCode } from '../../errors.ts'

/** Names of QMI's protocol errors, and what they mean for a rotation. */
const reasons: readonly [RegExp, AgentErrorCode][] = [
  [/^(NotSupported|InvalidQmiCommand|OpDeviceUnsupported|OpNetworkUnsupported)$/, 'unsupported'],
  [/^AccessDenied$/, 'permission_denied'],
  [/^(DeviceInUse|DeviceNotReady|WrongState|InvalidTransition|ClientIdsExhausted)$/, 'busy'],
  [/^(UimUninitialized|NoSim|SimFileNotFound)$/, 'sim_missing'],
  [/^(PinBlocked|PinAlwaysBlocked|IncorrectPin|AuthenticationLock)$/, 'sim_locked'],
  [/^(NoNetworkFound|NetworkNotReady|NoRadio|NetworkAborted|NetworkUnsupported)$/, 'no_registration'],
  [/^(CallFailed|OutOfCall|InvalidProfile|InvalidIpFamilyPreference|PolicyMismatch)$/, 'no_data_session'],
]

/** Why qmicli failed, as a reason why a rotation fails. */
export function failureOf(action: string, device: string, stderr: string): AgentError {
  const text = stderr.trim().slice(0, 500)
  const name = /QMI protocol error \(\d+\): '(\w+)'/.exec(text)?.[1] ?? ''
  const known = reasons.find(([pattern]) => pattern.test(name))?.[1]
  if (known) return new AgentError(known, `qmicli ${action}: ${name}${callEnd(text)}`)
  if (/No such file or directory/.test(text)) {
    return new AgentError('device_unreachable', `There is no ${device}: is the modem connected, and in its QMI mode?`)
  }
  if (/Permission denied|Operation not permitted/.test(text)) {
    return new AgentError('permission_denied', `This user may not use ${device}: run the agent as root.`)
  }
  return new AgentError('device_unreachable', `qmicli ${action}: ${text.split('\n').at(-1) ?? ''}`)
}

/** Why the network ended the call, where it says so. */
function callEnd(text: string): string {
  const reason = /verbose call end reason \([\d,]+\): (.+)/.exec(text)?.[1] ?? /call end reason \(\d+\): (.+)/.exec(text)?.[1]
  return reason === undefined ? '' : ` (${reason.trim()})`
}
