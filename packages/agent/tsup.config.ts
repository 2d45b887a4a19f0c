import { defineConfig } from 'tsup'

export default defineConfig({
  entry: { index: 'src/index.ts', main: 'src/main.ts' },
  format: ['esm'],
  target: 'node20',
  // Native, and optional: loaded only by who has such a modem.
  external: ['serialport'],
  dts: { entry: { index: 'src/index.ts' } },
  clean: true,
  sourcemap: true,
})
