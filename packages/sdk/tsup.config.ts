import { defineConfig } from 'tsup'

export default defineConfig({
  entry: {
    index: 'src/index.ts',
    contract: 'src/contract/index.ts',
    'proxy-server': 'src/proxy-server/index.ts',
    tunnel: 'src/tunnel/index.ts',
    crawlee: 'src/crawlee/index.ts',
    gateway: 'src/gateway/index.ts',
    cli: 'src/cli/main.ts',
  },
  format: ['esm', 'cjs'],
  target: 'node20',
  dts: true,
  clean: true,
  sourcemap: true,
  // ESM-only: Node 20 cannot require() it, so the CommonJS build carries it inside.
  noExternal: ['p-queue'],
})
