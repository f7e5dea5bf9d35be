// The walls of the house (docs/architecture.md says why each stands). `test/contract/walls.test.ts` breaks each one on purpose.
const wall = (name, from, to) => ({name, severity: 'error', from, to})
const home = (pkg, path) =>
  wall(
    `${pkg.replaceAll(/[@?]/g, '')}-lives-in-its-home`,
    {path: '^src', pathNot: path},
    {path: `(^|node_modules/)${pkg}(/|$)`},
  )

export default {
  forbidden: [
    wall('no-cycles', {}, {circular: true}),
    wall('lib-below-the-doors', {path: '^src/lib'}, {path: '^src/(commands|cli|server|tui|workers|wiring)'}),
    wall(
      'doors-apart',
      {path: '^src/(server|tui|workers)/'},
      {path: '^src/(commands|cli|server|tui|workers)/', pathNot: '^src/$1/'},
    ),
    wall('nothing-imports-workers', {path: '^src', pathNot: '^src/workers/'}, {path: '^src/workers/'}),
    wall('native-at-the-bottom', {path: '^src/native'}, {path: '^src/(?!native)'}),
    wall('native-behind-lib', {path: '^src/(?!lib/|native/|wiring)'}, {path: '^src/native'}),
    wall(
      'monitors-make-no-cuda-context',
      {path: '^src', pathNot: '^src/(native/|lib/memory/|lib/gpu/cuda-look\\.ts$)'},
      {path: '^src/native/cuda'},
    ),
    wall(
      'through-the-index',
      {path: '^src/(lib/[^/]+|[^/]+)'},
      {path: '^src/lib/[^/]+/(?!index\\.ts$)', pathNot: '^src/$1/'},
    ),
    wall(
      'cores-do-no-io',
      {path: '^src/lib/(engine/core|router/core|kvcache|metrics)'},
      {dependencyTypes: ['core'], pathNot: '^(node:)?(crypto|util|assert)$'},
    ),
    wall(
      'cores-know-no-shell',
      {path: '^src/lib/[^/]+/core/'},
      {path: '^src', pathNot: '^src/lib/(foundation/|[^/]+/core/)'},
    ),
    wall(
      'foundation-knows-nothing-of-ours',
      {path: '^src/lib/foundation/'},
      {path: '^src', pathNot: '^src/lib/foundation/'},
    ),
    wall(
      'openai-knows-nothing-of-ours',
      {path: '^src/lib/openai/'},
      {path: '^src', pathNot: '^src/lib/openai/'},
    ),
    home('koffi', '^src/native'),
    home('@oclif', '^src/(commands|cli)'),
    home('ink', '^src/tui'),
    home('react', '^src/tui'),
    home('string-width', '^src/tui'),
    home('@?fastify', '^src/server'),
    home('prom-client', '^src/server'),
    home('undici', '^src/lib/http'),
    home('eventsource-parser', '^src/lib/http'),
    home('execa', '^src/lib/processes'),
    home('yaml', '^src/lib/config'),
    home('pino', '^src/lib/foundation'),
    home('pure-rand', '^src/lib/foundation'),
    home('echarts', '^src/lib/report'),
    home('csv-(parse|stringify)', '^src/lib/runs'),
    home('ioredis', '^src/lib/tiers'),
    home('@huggingface/tokenizers', '^src/lib/tokens'),
    home('gpt-tokenizer', '^src/lib/tokens'),
    home('tar-stream', '^src/lib/bundle'),
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: {fileName: 'tsconfig.json'},
    doNotFollow: {path: 'node_modules'},
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'types'],
    },
  },
}
