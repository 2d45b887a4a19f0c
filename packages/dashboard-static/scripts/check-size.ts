/**
 * Fails when what a browser loads before it can show the fleet outgrows its budget (gzip, as a host sends it). Prints the sizes.
 * Counted: what index.html names, and every module that those import statically; not counted: what is loaded on demand, typefaces.
 */
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { gzipSync } from 'node:zlib'

/** Bytes, of which the page of issue 2 may use 45 KB of script; the rest is for what comes. */
const budget = { js: 60_000, css: 12_000 }

const dist = join(import.meta.dirname, '..', 'dist')
const html = readFileSync(join(dist, 'index.html'), 'utf8')
const loaded = new Set<string>()

function load(path: string): void {
  if (loaded.has(path)) return
  loaded.add(path)
  if (!path.endsWith('.js')) return
  for (const [, specifier = ''] of readFileSync(path, 'utf8').matchAll(/(?:\bfrom|\bimport)\s*["'](\.[^"']+)["']/g)) {
    load(join(dirname(path), specifier))
  }
}
for (const [, address = ''] of html.matchAll(/(?:src|href)="(\.\/[^"]+\.(?:js|css))"/g)) load(join(dist, address))

let isOver = false
for (const [kind, limit] of Object.entries(budget)) {
  const files = [...loaded].filter((path) => path.endsWith(`.${kind}`))
  const size = files.reduce((sum, path) => sum + gzipSync(readFileSync(path), { level: 9 }).byteLength, 0)
  console.log(`first load, ${kind}: ${(size / 1000).toFixed(1)} kB gzipped of ${limit / 1000} kB allowed`)
  if (files.length === 0) throw new Error(`index.html names no .${kind} file: this check no longer measures anything`)
  if (size > limit) isOver = true
}
if (isOver) {
  console.error('first load is over its budget: load on demand what the first view does not need')
  process.exit(1)
}
