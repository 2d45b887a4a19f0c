/** `npm run errors`: writes docs/errors.md from the registries of codes. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { errorsPage } from './render.ts'

await writeFile(join(import.meta.dirname, '..', '..', 'docs', 'errors.md'), errorsPage())
