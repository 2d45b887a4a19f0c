import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, test } from 'vitest'
import { localhostCertificate } from '../servers/certificate.ts'
import { Stage } from '../stage.ts'
import { builtSdk } from './built.ts'
import { checksOf } from './features.ts'
import { installed } from './installed.ts'
import { runNode } from './run-node.ts'
import { nodeVersions, pairs, undiciVersions } from './versions.ts'

const stage = new Stage()

/** The first run on a machine installs three Nodes and three undicis. */
const INSTALL_MS = 900_000

const nodes = new Map<number, string>()
const undicis = new Map<number, string>()

beforeAll(async () => {
  for (const [major, version] of Object.entries(nodeVersions)) {
    const isOurs = version === process.versions.node
    const folder = isOurs ? undefined : await installed(`node-${major}`, { node: version })
    if (isOurs) nodes.set(Number(major), process.execPath)
    else if (folder !== undefined) nodes.set(Number(major), join(folder, 'node_modules/node/bin/node'))
  }
  for (const [major, version] of Object.entries(undiciVersions)) {
    const folder = await installed(`undici-${major}`, { undici: version })
    if (folder !== undefined) undicis.set(Number(major), join(folder, 'node_modules/undici'))
  }
}, INSTALL_MS)

describe.each(pairs)('Node $node with npm undici $undici', ({ node, undici }) => {
  test('the built package does all that a fetch needs, leaves global dispatchers alone, and lets the process end', {
    timeout: 60_000,
  }, async ({ skip }) => {
    const nodePath = nodes.get(node)
    const undiciPath = undici === 'none' ? 'none' : undicis.get(undici)
    if (nodePath === undefined || undiciPath === undefined) return skip('not installed')
    const [plain, secure] = [await stage.origin(), await stage.origin({ tls: true })]
    const [seoul, moscow, dead] = [
      await stage.device('seoul-01', { auth: 'user:p%40ss' }),
      await stage.device('moscow-07'),
      await stage.device('kazan-02'),
    ]
    await dead.refuse()
    const given = {
      plain: plain.url,
      secure: secure.url,
      devices: [seoul.url, moscow.url],
      deadDevice: dead.url,
      ca: localhostCertificate.cert,
    }
    const script = fileURLToPath(new URL('./smoke.mjs', import.meta.url))
    const outcome = await runNode(nodePath, [script, builtSdk(), undiciPath, JSON.stringify(given)])
    expect(outcome, outcome.stderr).toMatchObject({ status: 0 })
    const { passed, stats } = JSON.parse(outcome.stdout) as { passed: string[]; stats: Record<string, number> }
    const expected = checksOf(node, undici)
    expect(expected.filter((check) => !passed.some((name) => name.startsWith(check)))).toEqual([])
    expect(passed.filter((name) => !expected.some((check) => name.startsWith(check)))).toEqual([])
    expect(stats).toMatchObject({ inFlight: 0, queued: 0 })
  })
})
