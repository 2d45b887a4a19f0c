import { defineConfig } from 'tsup'

const subpaths = { index: 'src/index.ts', contract: 'src/contract/index.ts', 'proxy-server': 'src/proxy-server/index.ts' }

export default defineConfig({
  entry: { ...subpaths, cli: 'src/cli/main.ts' },
  format: ['esm', 'cjs'],
  target: 'node20',
  dts: { entry: subpaths },
  clean: true,
  sourcemap: true,
  // ESM-only: Node 20 cannot require() it, so the CommonJS build carries it inside.
  noExternal: ['p-queue'],
})
