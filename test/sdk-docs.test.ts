import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { AttemptKind, MobilePoolErrorCode, Phase, PoolEvents, ViewOptions } from '@mobilepool/sdk'
import { defaultLimits, replyStatuses } from '@mobilepool/sdk/proxy-server'
import ts from 'typescript'
import { describe, expect, it, test } from 'vitest'
import { presetNames } from '../packages/sdk/src/bans/presets/names.ts'
import { sessionDefaults } from '../packages/sdk/src/clients/view-options.ts'
import { balancers } from '../packages/sdk/src/core/balancers/index.ts'
import { poolOptions } from '../packages/sdk/src/options/schema.ts'
import type { ChannelMessages } from '../packages/sdk/src/telemetry/channels.ts'
import { compatibilityTable } from '../packages/sdk/test/matrix/features.ts'

const root = join(import.meta.dirname, '..')
const docs = await readFile(join(root, 'docs/sdk.md'), 'utf8')
const exampleNames = (await readdir(join(root, 'examples'))).filter((name) => name.endsWith('.mjs'))
const examples = new Map(
  await Promise.all(exampleNames.map(async (name) => [name, await readFile(join(root, 'examples', name), 'utf8')] as const)),
)

/** The text under a heading, up to the next heading of the same rank. */
function section(heading: string): string {
  const [, text] = docs.split(`\n## ${heading}\n`)
  if (text === undefined) throw new Error(`docs/sdk.md has no heading "${heading}"`)
  return text.split('\n## ')[0] ?? ''
}

/** Rows of the tables in a text, as their cells; heads and rules are left out. */
const rows = (text: string): string[][] =>
  [...text.matchAll(/^\| *(`.*) *\|$/gm)].map(([, line = '']) => line.split(/(?<!\\)\|/).map((cell) => cell.trim().replaceAll('\\|', '|')))

/** Everything in backticks that stands in the first column. */
const firstColumn = (text: string): string[] =>
  rows(text).flatMap(([cell = '']) => [...cell.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name))

interface Shape {
  readonly properties?: Record<string, Shape>
  readonly items?: Shape
  readonly anyOf?: readonly Shape[]
  readonly default?: unknown
}

/** Every option that takes a value, with its default; a list of objects has `[]` in the path. */
function leaves(shape: Shape, path: string): [path: string, fallback: unknown][] {
  const objects = [shape, ...(shape.anyOf ?? [])].filter(({ properties }) => properties !== undefined)
  const [object] = objects
  if (object?.properties !== undefined) {
    const prefix = path === '' ? '' : `${path}.`
    return Object.entries(object.properties).flatMap(([name, inner]) => leaves(inner, `${prefix}${name}`))
  }
  return shape.items?.properties === undefined ? [[path, shape.default]] : leaves(shape.items, `${path}[]`)
}

const shown = (value: unknown): string => JSON.stringify(value).replaceAll('"', "'").replaceAll(',', ', ')

describe('docs/sdk.md', () => {
  it('has every option in its table, with the right default, and no other', () => {
    const options = new Map(leaves(poolOptions.toJSONSchema({ io: 'output', unrepresentable: 'any' }) as Shape, ''))
    expect(options.size).toBeGreaterThan(60)
    const table = rows(section('All options'))
    expect(table.map(([cell]) => cell)).toEqual([...options.keys()].map((path) => `\`${path}\``))
    // Nothing, and an empty list or object, are said in words.
    const isSaidInWords = (fallback: unknown): boolean => fallback === undefined || ['[]', '{}'].includes(shown(fallback))
    const cells = table.map(([path, , cell = '']) => [path, /^`.*`$/.test(cell) ? cell : cell === '' ? 'nothing' : 'words'])
    expect(cells).toEqual(
      [...options].map(([path, fallback]) => [`\`${path}\``, isSaidInWords(fallback) ? 'words' : `\`${shown(fallback)}\``]),
    )
  })

  it('gives units where there are some', () => {
    const table = rows(section('All options'))
    expect(table.filter(([path = '', unit]) => /Ms`$/.test(path) !== (unit === 'ms')).map(([path]) => path)).toEqual([])
    expect(table.filter(([path = '', unit]) => /[bB]ytes`$/.test(path) !== (unit === 'bytes')).map(([path]) => path)).toEqual([])
  })

  it('has the options of views and the defaults of sessions', () => {
    const names: Record<keyof ViewOptions, true> = {
      filter: true,
      devices: true,
      exclude: true,
      session: true,
      priority: true,
      hashKey: true,
      queueTimeoutMs: true,
      retry: true,
      ban: true,
      hedge: true,
      cache: true,
    }
    expect(firstColumn(section('Views'))).toEqual(Object.keys(names))
    expect(section('Sessions')).toContain(`\`ttlMs\` (default \`${sessionDefaults.ttlMs}\``)
    expect(section('Sessions')).toContain(`\`${sessionDefaults.onIpChange}\` (default)`)
  })

  it('has every code of an error and every phase', () => {
    const codes: Record<MobilePoolErrorCode, true> = {
      MP_OPTIONS: true,
      MP_NO_DEVICE: true,
      MP_ALL_BANNED: true,
      MP_QUEUE_TIMEOUT: true,
      MP_QUEUE_FULL: true,
      MP_DEVICE_CONNECT: true,
      MP_DEVICE_AUTH: true,
      MP_DEVICE_DRAINING: true,
      MP_DEVICE_OFFLINE: true,
      MP_DEVICE_ROTATED: true,
      MP_TUNNEL_REFUSED: true,
      MP_TUNNEL_TIMEOUT: true,
      MP_TARGET_TLS: true,
      MP_NO_RESPONSE: true,
      MP_RESPONSE_TIMEOUT: true,
      MP_RESPONSE_BROKEN: true,
      MP_RETRIES_EXHAUSTED: true,
      MP_UNKNOWN_DEVICE: true,
      MP_ROTATION_UNSUPPORTED: true,
      MP_ROTATION_TOO_SOON: true,
      MP_HUB_UNREACHABLE: true,
      MP_HUB_REFUSED: true,
      MP_HUB_PROTOCOL: true,
      MP_SESSION_IP_CHANGED: true,
      MP_LISTEN: true,
      MP_LEASE_LOST: true,
      MP_LEASE_RELEASED: true,
      MP_CLOSED: true,
    }
    expect(firstColumn(section('Errors'))).toEqual(Object.keys(codes))
    const phases: Record<Phase, true> = {
      pick: true,
      connect: true,
      tunnel: true,
      tls: true,
      request: true,
      response: true,
      body: true,
      rotation: true,
      options: true,
      hub: true,
    }
    expect(section('Errors')).toContain(
      Object.keys(phases)
        .map((phase) => `\`${phase}\``)
        .join(', '),
    )
  })

  it('has every outcome of an attempt', () => {
    const kinds: Record<AttemptKind, true> = {
      answered: true,
      banned: true,
      target_error: true,
      hedged: true,
      draining: true,
      device_offline: true,
      device_auth: true,
      device_connect: true,
      tunnel_dropped: true,
      tunnel_refused: true,
      target_unreachable: true,
      tunnel_timeout: true,
      target_tls: true,
      no_response: true,
      response_timeout: true,
      response_broken: true,
      rotated: true,
      aborted: true,
      caller: true,
    }
    expect(firstColumn(section('Outcomes of attempts'))).toEqual(Object.keys(kinds))
  })

  it('has every event and every channel', () => {
    const events: Record<keyof PoolEvents, true> = {
      retry: true,
      hedge: true,
      ban: true,
      starved: true,
      eject: true,
      restore: true,
      rotationStart: true,
      rotationEnd: true,
      rotationError: true,
      deviceAdded: true,
      deviceRemoved: true,
      ipChanged: true,
      source: true,
      balancerError: true,
      usageDropped: true,
      redis: true,
    }
    const channels: Record<keyof ChannelMessages, true> = {
      'mobilepool:request': true,
      'mobilepool:attempt': true,
      'mobilepool:retry': true,
      'mobilepool:ban': true,
      'mobilepool:eject': true,
      'mobilepool:rotate': true,
    }
    expect(firstColumn(section('Seeing what happens'))).toEqual([...Object.keys(events), ...Object.keys(channels)])
  })

  it('has every limit of the proxy server with its default, and every code with its status', () => {
    const table = rows(section('A proxy server of your own'))
    const limits = Object.entries(defaultLimits).map(([name, value]) => [`\`${name}\``, `\`${value}\``])
    const codes = Object.entries(replyStatuses).map(([code, { status }]) => [`\`${code}\``, String(status)])
    expect(table.map(([name, value]) => [name, value])).toEqual([...limits, ...codes])
  })

  it('has every balancer and every preset', () => {
    expect(new Set(firstColumn(section('Balancing')))).toEqual(new Set(Object.keys(balancers)))
    expect(firstColumn(section('Bans'))).toEqual([...presetNames])
  })

  it('has the table of what the matrix of Nodes and undicis tries', () => {
    expect(docs).toContain(compatibilityTable())
  })

  it('names every example, and so does the list of examples', async () => {
    const list = await readFile(join(root, 'examples/README.md'), 'utf8')
    expect(exampleNames.filter((name) => !docs.includes(`](../examples/${name})`))).toEqual([])
    expect(exampleNames.filter((name) => !list.includes(`](${name})`))).toEqual([])
  })

  it('has code that is an example file, or that compiles against the types of the SDK', () => {
    const blocks = [...docs.matchAll(/```js\n([\s\S]*?)```/g)].map(([, code = '']) => code)
    expect(blocks.length).toBeGreaterThan(8)
    const fragments = blocks.filter((code) => ![...examples.values()].includes(code))
    expect(blocks.length - fragments.length).toBeGreaterThanOrEqual(2)
    expect(complaintsAbout(fragments)).toEqual([])
  }, 120_000)
})

test.each(['docs/sdk.md', 'examples/README.md', 'README.md'])('the links of %s lead somewhere', async (file) => {
  const text = await readFile(join(root, file), 'utf8')
  const links = [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, to = '']) => to).filter((to) => !/^https?:/.test(to))
  expect(links.length).toBeGreaterThan(0)
  const anchors = new Set([...text.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) => `#${slugOf(heading)}`))
  const isThere = (to: string): boolean =>
    to.startsWith('#') ? anchors.has(to) : existsSync(join(root, dirname(file), to.split('#')[0] ?? ''))
  expect(links.filter((to) => !isThere(to))).toEqual([])
})

/** The anchor that GitHub gives a heading. */
const slugOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, '')
    .replaceAll(' ', '-')

/** What TypeScript says about pieces of code that know `pool`, `url` and `MobilePool`. */
function complaintsAbout(fragments: readonly string[]): string[] {
  const configPath = join(root, 'tsconfig.base.json')
  const { options } = ts.parseJsonConfigFileContent(ts.readConfigFile(configPath, ts.sys.readFile).config, ts.sys, root)
  const sources = new Map(fragments.map((code, index) => [join(root, 'test', `fragment-${index}.mts`), withSurroundings(code)]))
  const host = ts.createCompilerHost(options)
  const { getSourceFile, fileExists, readFile: read } = host
  host.fileExists = (name) => sources.has(name) || fileExists(name)
  host.readFile = (name) => sources.get(name) ?? read(name)
  host.getSourceFile = (name, ...rest) => {
    const text = sources.get(name)
    return text === undefined ? getSourceFile(name, ...rest) : ts.createSourceFile(name, text, ts.ScriptTarget.ESNext)
  }
  const program = ts.createProgram(
    [...sources.keys()],
    { ...options, strict: false, exactOptionalPropertyTypes: false, noImplicitAny: false },
    host,
  )
  return [...sources.keys()].flatMap((name) => {
    const file = program.getSourceFile(name)
    return [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)].map(
      ({ messageText }) => `${fragments[[...sources.keys()].indexOf(name)]}\n=> ${ts.flattenDiagnosticMessageText(messageText, '\n')}`,
    )
  })
}

/** Adds what a piece of code takes for granted, in the same line, and makes it a module. */
function withSurroundings(code: string): string {
  const given = {
    MobilePool: "import { MobilePool } from '@mobilepool/sdk'",
    pool: "declare const pool: import('@mobilepool/sdk').MobilePool",
    url: 'declare const url: string',
  }
  const missing = Object.entries(given).filter(([name]) => !new RegExp(`(?:import \\{|const) ${name}\\b`).test(code))
  return `${missing.map(([, line]) => line).join('; ')}\n${code}\nexport {}\n`
}
