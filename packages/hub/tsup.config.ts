import { defineConfig } from 'tsup'

export default defineConfig({
  entry: { index: 'src/index.ts', main: 'src/main.ts', 'pglite-worker': 'src/store/pglite-worker.ts' },
  format: ['esm'],
  target: 'node22',
  dts: { entry: { index: 'src/index.ts' } },
  // The empty database takes ten seconds to make: build/empty-database.ts keeps it while it is of the installed PGlite.
  clean: ['!empty-database-*'],
  sourcemap: true,
})
