import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'

const sdk = join(import.meta.dirname, '../..')

/** The built package's folder. Throws when it is not built, or the pool's sources are newer: `npm test` builds first. */
export function builtSdk(): string {
  const output = join(sdk, 'dist/index.js')
  if (!existsSync(output)) throw new Error('packages/sdk is not built: npm run build -w packages/sdk')
  const sources = readdirSync(join(sdk, 'src'), { recursive: true, encoding: 'utf8' }).filter(isOfThePool)
  const newest = Math.max(...sources.map((file) => statSync(join(sdk, 'src', file)).mtimeMs))
  if (statSync(output).mtimeMs < newest)
    throw new Error('the build of packages/sdk is older than its sources: npm run build -w packages/sdk')
  return sdk
}

/** The proxy server is a subpath of its own, of which only the presence is tried here. */
const isOfThePool = (file: string): boolean => file.endsWith('.ts') && !file.endsWith('.test.ts') && !file.startsWith('proxy-server')
