import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url))

/** Tests run the sources; what they spawn as processes is the build (`npm test` builds first). */
const alias = {
  '@mobilepool/sdk/contract': here('./packages/sdk/src/contract/index.ts'),
  '@mobilepool/sdk/tunnel': here('./packages/sdk/src/tunnel/index.ts'),
  '@mobilepool/sdk/crawlee': here('./packages/sdk/src/crawlee/index.ts'),
  '@mobilepool/sdk/gateway': here('./packages/sdk/src/gateway/index.ts'),
  '@mobilepool/sdk/proxy-server': here('./packages/sdk/src/proxy-server/index.ts'),
  '@mobilepool/sdk': here('./packages/sdk/src/index.ts'),
  '@mobilepool/hub': here('./packages/hub/src/index.ts'),
  '@mobilepool/agent': here('./packages/agent/src/index.ts'),
}

const project = (name: string, root: string, include: string[]) => ({
  resolve: { alias },
  test: {
    name,
    root: here(root),
    include,
    environment: 'node',
    testTimeout: 20_000,
    hookTimeout: 60_000,
    pool: 'forks' as const,
    // No secret may be in a log line or an answer of any hub that the tests start.
    globalSetup: name === 'hub' ? [here('./packages/hub/test/secrets/check.ts')] : [],
    setupFiles: name === 'hub' ? [here('./packages/hub/test/secrets/tap-answers.ts')] : [],
  },
})

const packages = ['sdk', 'hub', 'agent', 'dashboard-static']

export default defineConfig({
  test: {
    maxWorkers: 2,
    projects: [
      ...packages.map((name) => project(name, `./packages/${name}`, ['{src,sim,test}/**/*.test.ts'])),
      project('whole', '.', ['test/**/*.test.ts']),
    ],
  },
})
