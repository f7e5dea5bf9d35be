// Builds dist/ from scratch (an old dist/ would keep deleted commands alive): declarations by tsc, code by esbuild, oclif's manifest.
// The code is bundled and split because starting `kvctl list` from some 200 small files took twice as long as from three.
import {spawnSync} from 'node:child_process'
import {readdirSync, rmSync, statSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {fileURLToPath} from 'node:url'
import {build} from 'esbuild'

const root = fileURLToPath(new URL('..', import.meta.url))
process.chdir(root)
rmSync('dist', {recursive: true, force: true})
rmSync('oclif.manifest.json', {force: true})

// Types are checked by `npm run check` and where the tests are built; checking them here as well would take half of the build.
const tsc = spawnSync(
  process.execPath,
  ['node_modules/typescript/bin/tsc', '--emitDeclarationOnly', '--noCheck'],
  {stdio: 'inherit'},
)
if (tsc.status !== 0) process.exit(1)

const filesBelow = folder =>
  readdirSync(folder, {recursive: true})
    .map(name => join(folder, name))
    .filter(path => /\.tsx?$/.test(path) && statSync(path).isFile())

await build({
  entryPoints: [
    'src/index.ts',
    'src/cli/main.ts',
    'src/cli/help.ts',
    ...['src/cli/hooks', 'src/commands', 'src/workers'].flatMap(folder => filesBelow(folder)),
  ],
  outdir: 'dist',
  outbase: 'src',
  chunkNames: 'chunks/[name]-[hash]',
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20.19',
  jsx: 'automatic',
  // React asks at run time which of its builds to load; ours is the fast one, and only it is bundled.
  define: {'process.env.NODE_ENV': '"production"'},
  // What most commands need is bundled in, also where it comes as a hundred files (undici, yaml), which was a fifth of the time
  // to start `kvctl bench`; the rest is loaded from node_modules when a command asks for it.
  external: [
    'koffi',
    'typescript',
    // Ink's developer tools, which it loads only when DEV is set.
    'react-devtools-core',
    // Loaded only where they are asked for; the page finds its files beside its own code.
    '@fastify/cors',
    '@fastify/swagger',
    '@fastify/swagger-ui',
    'echarts',
    'pino',
    // Fastify's own compilers, which serve alone asks for.
    '@fastify/ajv-compiler',
    '@fastify/fast-json-stringify-compiler',
    'execa',
    'ioredis',
    'tar-stream',
    'csv-*',
    '@huggingface/tokenizers',
    'gpt-tokenizer',
  ],
  banner: {
    js: "import {createRequire as bundledRequire} from 'node:module';const require = bundledRequire(import.meta.url);",
  },
  logLevel: 'warning',
})

const {Plugin} = await import('@oclif/core')
const plugin = new Plugin({root, type: 'core', ignoreManifest: true, errorOnManifestCreate: true})
await plugin.load()
writeFileSync('oclif.manifest.json', `${JSON.stringify(plugin.manifest, null, 2)}\n`)
