/**
 * Which part may import which: DESIGN.md section 3. Run by `npm run lint`.
 * Tests may import anything.
 */
const isTest = '(\\.test\\.ts$|/test/|/testing/)'

const onlyFrom = (name, comment, from, to) => ({
  name,
  comment,
  severity: 'error',
  from: { path: from, pathNot: isTest },
  to,
})

export default {
  forbidden: [
    { name: 'no-circular', severity: 'error', from: {}, to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } } },
    onlyFrom('sdk-imports-nobody', 'The SDK imports neither hub nor agent nor page', '^packages/sdk/', {
      path: '^packages/(hub|agent|dashboard-static)/',
    }),
    onlyFrom('contract-is-alone', 'The contract imports nothing of ours', '^packages/sdk/src/contract/', {
      path: '^packages/',
      pathNot: '^packages/sdk/src/contract/',
    }),
    onlyFrom('core-does-no-io', 'The pool core has no sockets, no environment, no undici', '^packages/sdk/src/core/', {
      path: '^packages/sdk/src/(?!core/|errors)|^(node:)?(net|tls|http|https|dns|fs|timers|process|child_process)$|/undici/',
    }),
    onlyFrom('proxy-server-is-alone', 'The proxy server knows neither pool nor hub', '^packages/sdk/src/proxy-server/', {
      path: '^packages/sdk/src/(?!proxy-server/)|^packages/(hub|agent)/',
    }),
    onlyFrom('tunnel-is-alone', 'What hub and agent share of the tunnel knows neither of them', '^packages/sdk/src/tunnel/', {
      path: '^packages/sdk/src/(?!tunnel/|contract/)|^packages/(hub|agent)/',
    }),
    onlyFrom('agent-takes-three-subpaths', 'The agent takes only three subpaths of the SDK', '^packages/agent/(src|sim)/', {
      path: '^packages/(sdk/src/(?!contract/|proxy-server/|tunnel/)|hub/|dashboard-static/)',
    }),
    onlyFrom('page-takes-the-contract', 'The page takes only the contract', '^packages/dashboard-static/src/', {
      path: '^packages/(sdk/src/(?!contract/)|hub/|agent/)',
    }),
    onlyFrom('hub-imports-no-agent', 'The hub knows agents by the contract only', '^packages/hub/src/', { path: '^packages/agent/' }),
    onlyFrom(
      'routes-know-no-sql',
      'Routes call the rules; only store/ knows SQL',
      '^packages/hub/src/(api|fleet|stats|alerts|auth|gateway|tunnel)/',
      {
        path: '(^|/)node_modules/(kysely|pg|@electric-sql)/|^packages/hub/src/store/(?!index\\.ts$)',
      },
    ),
    onlyFrom('rules-know-no-routes', 'fleet, stats, alerts and auth know no HTTP', '^packages/hub/src/(fleet|stats|alerts|auth|store)/', {
      path: '^packages/hub/src/api/|(^|/)node_modules/fastify',
    }),
    onlyFrom('store-is-the-bottom', 'The store knows nobody above it', '^packages/hub/src/store/', {
      path: '^packages/hub/src/(?!store/|errors)',
    }),
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '(^|/)dist/' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'default', 'types'] },
  },
}
