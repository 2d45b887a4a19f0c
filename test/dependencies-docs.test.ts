import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'

const root = join(import.meta.dirname, '..')
const text = readFileSync(join(root, 'docs/dependencies.md'), 'utf8')

it.each(['sdk', 'hub', 'agent', 'dashboard-static'])(
  'docs/dependencies.md has what @mobilepool/%s needs, with a reason for each',
  (name) => {
    const manifest = JSON.parse(readFileSync(join(root, 'packages', name, 'package.json'), 'utf8')) as Record<
      string,
      Record<string, string> | undefined
    >
    const { dependencies, optionalDependencies, peerDependencies } = manifest
    const needed = Object.keys({ ...dependencies, ...optionalDependencies, ...peerDependencies })
    const section = text.split(`## @mobilepool/${name}\n`)[1]?.split('\n## ')[0] ?? ''
    const told = [...section.matchAll(/^\| `([^`]+)`[^|]*\| (.{10,}) \|$/gm)].map(([, dependency]) => dependency)
    expect(new Set(told)).toEqual(new Set(needed))
    expect(told).toHaveLength(needed.length)
    for (const version of Object.values({ ...dependencies, ...optionalDependencies })) expect(version).toMatch(/^\d+\.\d+\.\d+$/)
  },
)
