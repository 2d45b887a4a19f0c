import type { HubProblem } from '../hub/client.ts'
import { t } from '../words/words.ts'

/** A sentence about why the hub did not do what was asked: its own, where it gave one. */
export function problemWords(problem: HubProblem): string {
  switch (problem.kind) {
    case 'unreachable':
      return t('login.unreachable')
    case 'key_needed':
      return t('action.denied')
    case 'not_a_hub':
      return t('trouble.not_a_hub')
    case 'refused':
      return problem.detail ?? t('login.refused', { status: String(problem.status) })
  }
}
