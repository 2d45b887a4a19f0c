import { onScopeDispose, shallowRef } from 'vue'
import { readFields } from '../fleet/fields.ts'
import type { HubAnswer, HubClient, HubProblem } from '../hub/client.ts'
import { hasEnded, type RotationRecord } from './details.ts'
import { readRotationRecord } from './read-details.ts'

/** How far something that somebody asked for is. */
type Progress =
  | { readonly phase: 'asked' }
  /** Under way, or ended: what its state says. */
  | { readonly phase: 'told'; readonly rotation: RotationRecord }
  | { readonly phase: 'refused'; readonly problem: HubProblem }

/** How often the hub is asked how far it is, ms: steps take seconds. */
const ASK_EVERY_MS = 1_500

/**
 * Asks for a rotation (or a restart, which is one) and then how it goes, until it has ended: what is shown is what the hub measured, not that
 * it said yes. A hub that is away for a moment is asked on. Ends with the component that uses it.
 */
export function useRotation(ask: HubClient['ask'], ended: () => void) {
  const progress = shallowRef<Progress | null>(null)
  const gone = new AbortController()
  let timer: ReturnType<typeof setTimeout> | undefined
  onScopeDispose(() => {
    gone.abort()
    clearTimeout(timer)
  })

  function take(answer: HubAnswer<unknown>, read: (json: unknown) => unknown): RotationRecord | null {
    const rotation = answer.ok ? readRotationRecord(read(answer.value)) : null
    if (rotation !== null) progress.value = { phase: 'told', rotation }
    return rotation
  }

  function askOn(id: string): void {
    timer = setTimeout(async () => {
      const answer = await ask({ path: `api/v1/rotations/${id}`, signal: gone.signal })
      if (gone.signal.aborted) return
      const rotation = take(answer, (json) => json)
      const isLost =
        !answer.ok && (answer.problem.kind === 'key_needed' || (answer.problem.kind === 'refused' && answer.problem.status === 404))
      if (isLost) progress.value = { phase: 'refused', problem: answer.problem }
      else if (rotation !== null && hasEnded(rotation.state)) ended()
      else askOn(id)
    }, ASK_EVERY_MS)
  }

  return {
    progress,
    async begin(path: string): Promise<void> {
      clearTimeout(timer)
      progress.value = { phase: 'asked' }
      const answer = await ask({ method: 'POST', path, body: {}, signal: gone.signal })
      if (gone.signal.aborted) return
      const rotation = take(answer, (json) => readFields(json)?.rotation)
      if (rotation !== null) askOn(rotation.id)
      else progress.value = { phase: 'refused', problem: answer.ok ? { kind: 'not_a_hub' } : answer.problem }
    },
  }
}
