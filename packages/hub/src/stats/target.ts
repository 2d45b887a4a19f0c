import { siteOf } from '../fleet/site.ts'

/** What is kept of a target: no `user:password@` ever, a query only where it is wanted. Null: nothing is. */
export function storedTarget(target: string | null, keepsQuery: boolean): string | null {
  if (target === null) return null
  const [beforeFragment = ''] = target.split('#', 1)
  const [path = ''] = beforeFragment.split('?', 1)
  const kept = keepsQuery ? beforeFragment : path
  const shown = kept.replace(/^([a-z][a-z0-9+.-]*:\/\/)?[^/?]*@/i, '$1')
  return shown === '' ? null : shown
}

/** The site that a target is of, as wide as its column. */
export const siteOfTarget = (target: string | null): string | null => (target === null ? null : (siteOf(target)?.slice(0, 255) ?? null))
