/**
 * Builds the packages in the order in which they need each other. `--stale` builds only what is older than its sources, and
 * prints nothing when all goes well (`npm run demo` starts with it); it leaves out the type declarations, which take longest.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'

const root = join(import.meta.dirname, '..')
const packages = [
  { name: 'sdk', output: 'index.js', sources: ['packages/sdk'] },
  { name: 'dashboard-static', output: 'index.html', sources: ['packages/dashboard-static', 'packages/sdk/src/contract'] },
  { name: 'hub', output: 'main.js', sources: ['packages/hub'] },
  { name: 'agent', output: 'main.js', sources: ['packages/agent'] },
]
const onlyStale = process.argv.includes('--stale')

function newestIn(folder: string): number {
  let newest = 0
  for (const entry of readdirSync(folder, { withFileTypes: true, recursive: true })) {
    const path = join(entry.parentPath, entry.name)
    if (!entry.isFile() || /\/(dist|node_modules|test)\//.test(path)) continue
    newest = Math.max(newest, statSync(path).mtimeMs)
  }
  return newest
}

function isFresh({ name, output, sources }: (typeof packages)[number]): boolean {
  const built = join(root, 'packages', name, 'dist', output)
  return existsSync(built) && sources.every((folder) => newestIn(join(root, folder)) <= statSync(built).mtimeMs)
}

for (const item of packages) {
  if (onlyStale && isFresh(item)) continue
  const withoutTypes = onlyStale && item.name !== 'dashboard-static' ? ['--', '--no-dts'] : []
  const built = spawnSync('npm', ['run', '--silent', 'build', '-w', `packages/${item.name}`, ...withoutTypes], {
    cwd: root,
    encoding: 'utf8',
    stdio: onlyStale ? 'pipe' : 'inherit',
  })
  if (built.status !== 0) {
    process.stderr.write(`${built.stdout ?? ''}${built.stderr ?? ''}`)
    console.error(`building packages/${item.name} failed`)
    process.exit(1)
  }
}
