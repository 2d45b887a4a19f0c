import { mkdirSync } from 'node:fs'
import { join } from 'node:path'

const folder = join(import.meta.dirname, '..', '..', '..', 'test-results', 'page')

/** Where a picture to look at goes: the git-ignored test-results/ of the repository. */
export function picture(name: string): string {
  mkdirSync(folder, { recursive: true })
  return join(folder, `${name.replaceAll(' ', '-')}.png`)
}
