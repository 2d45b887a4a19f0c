import { nodeVersions, pairs, undiciVersions } from './versions.ts'

type Node = keyof typeof nodeVersions
type Undici = keyof typeof undiciVersions

/** A line of the table of docs/sdk.md, and the checks of smoke.mjs that stand for it. */
interface Feature {
  readonly title: string
  /** Names that the checks have, or begin with. */
  readonly checks: readonly string[]
  /** An npm undici that it is of. */
  readonly undici?: Undici
  /** The first Node that has it. */
  readonly since?: Node
}

const undiciChecks = [
  'npm fetch',
  'request',
  'stream',
  'pipeline',
  'upgrade',
  'npm WebSocket',
  'compose redirect',
  'compose retry',
  'compose dns',
  'setGlobal',
]
const newer = [...undiciChecks, 'compose cache']

/** What the built package is shown to do. */
const features: readonly Feature[] = [
  {
    title: 'built-in `fetch` with `dispatcher`, `pool.fetch`, `pool.map`',
    checks: ['built-in fetch', 'pool.fetch', 'a dead device', 'errors', 'map'],
  },
  { title: '`pool.installGlobal()`', checks: ['installGlobal'] },
  { title: 'built-in `WebSocket`, ws and wss', checks: ['WebSocket'], since: 22 },
  { title: '`httpAgent`, `httpsAgent`', checks: ['httpAgent', 'httpsAgent'] },
  { title: 'npm ws through the agents, ws and wss', checks: ['httpAgent ws', 'httpsAgent ws'] },
  { title: 'views, sessions, leases', checks: ['views', 'leases'] },
  { title: '`pool.listen()`', checks: ['listen'] },
  { title: '`cache`', checks: ['cache'] },
  { title: `npm undici ${undiciVersions[6]}: all of it (it has no interceptor cache)`, checks: undiciChecks, undici: 6 },
  { title: `npm undici ${undiciVersions[7]}: all of it`, checks: newer, undici: 7 },
  { title: `npm undici ${undiciVersions[8]}: all of it, which needs Node 22.19`, checks: newer, undici: 8 },
]

const nodes = Object.keys(nodeVersions).map((major) => Number(major) as Node)

const isOn = ({ undici, since = 20 }: Feature, node: Node): boolean =>
  node >= since && (undici === undefined || pairs.some((pair) => pair.node === node && pair.undici === undici))

/** Checks that a pair must pass, by what their names begin with. */
export const checksOf = (node: number, undici: Undici | 'none'): string[] =>
  features
    .filter((feature) => isOn(feature, node as Node) && (feature.undici === undefined || feature.undici === undici))
    .flatMap(({ checks }) => checks)

/** The table for docs/sdk.md. */
export function compatibilityTable(): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  return [
    line(['runs on', ...nodes.map((node) => `Node ${nodeVersions[node]}`)]),
    line(['---', ...nodes.map(() => '---')]),
    ...features.map((feature) => line([feature.title, ...nodes.map((node) => (isOn(feature, node) ? 'yes' : 'no'))])),
  ].join('\n')
}
