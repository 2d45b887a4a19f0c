import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

/** Git-ignored, at the root; kept between runs. */
const cache = join(import.meta.dirname, '../../../../.cache/sdk-matrix')

/** How long another process may take with the same installation. */
const PATIENCE_MS = 600_000

/**
 * Installs npm packages in a folder of their own, apart from the workspace, once: later runs find them there.
 * Returns the folder; undefined, after one line that says so, when they cannot be installed, unless `CI` is set: then it throws.
 */
export async function installed(name: string, dependencies: Record<string, string>): Promise<string | undefined> {
  const folder = join(cache, name)
  const manifest = JSON.stringify({ private: true, allowScripts: { node: true }, dependencies }, null, 2)
  const stamp = join(folder, 'installed.json')
  const isThere = (): boolean => existsSync(stamp) && readFileSync(stamp, 'utf8') === manifest
  if (isThere()) return folder
  mkdirSync(cache, { recursive: true })
  const unlock = await lock(join(cache, 'lock'))
  try {
    if (isThere()) return folder
    rmSync(folder, { recursive: true, force: true })
    mkdirSync(folder)
    writeFileSync(join(folder, 'package.json'), manifest)
    const npm = spawnSync('npm', ['install', '--no-audit', '--no-fund', '--loglevel=error'], {
      cwd: folder,
      encoding: 'utf8',
      timeout: PATIENCE_MS,
    })
    if (npm.status === 0) {
      writeFileSync(stamp, manifest)
      return folder
    }
    const why = `cannot install ${Object.entries(dependencies).join(' ')}: ${(npm.stderr || String(npm.error)).trim().split('\n').at(0)}`
    if (process.env.CI) throw new Error(why)
    console.warn(`skipped: ${why}`)
    return undefined
  } finally {
    unlock()
  }
}

/** One installation at a time on this machine: each takes both of its cores. A lock whose owner is gone is taken over. */
async function lock(path: string): Promise<() => void> {
  const deadline = Date.now() + PATIENCE_MS
  for (;;) {
    try {
      writeFileSync(path, String(process.pid), { flag: 'wx' })
      return () => rmSync(path, { force: true })
    } catch {
      const owner = existsSync(path) ? Number(readFileSync(path, 'utf8')) : 0
      if (owner > 0 && !isAlive(owner)) rmSync(path, { force: true })
    }
    if (Date.now() > deadline) throw new Error(`${path} is held by another process for ${PATIENCE_MS} ms`)
    await sleep(200)
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
