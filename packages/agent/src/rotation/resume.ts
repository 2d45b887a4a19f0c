import { AgentError } from '../errors.ts'
import { bringUp, comeOnline, findExitIp, type RotationPorts } from './ports.ts'
import { failed, type RotationFacts, type RotationResult } from './result.ts'
import { compare } from './rotate.ts'

const RESTARTED = 'The agent was restarted in the middle of the rotation.'

/**
 * Ends a rotation whose agent was killed: switches the device on and compares the address that it has now with the one it had before.
 * Never throws.
 */
export async function resumeRotation(
  interrupted: { readonly facts: RotationFacts; readonly hasGoneDown: boolean },
  ports: RotationPorts,
  stop: AbortSignal,
): Promise<RotationResult> {
  const { facts } = interrupted
  ports.traffic.fence()
  try {
    await bringUp(ports)
    stop.throwIfAborted()
    if (!interrupted.hasGoneDown) throw new AgentError('canceled', `${RESTARTED} The device had not gone down yet.`)
    await comeOnline(ports, stop)
    return compare(facts, await findExitIp(ports, stop), RESTARTED)
  } catch (error) {
    return failed(error, facts)
  } finally {
    ports.traffic.unfence()
  }
}
