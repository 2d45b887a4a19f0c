import { createRequire } from 'node:module'

/** The version of this package; the path holds from `src/` and from `dist/`. */
export const agentVersion: string = (createRequire(import.meta.url)('../package.json') as { version: string }).version
