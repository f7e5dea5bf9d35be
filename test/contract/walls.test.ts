import {execFile} from 'node:child_process'
import {cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {dirname, join} from 'node:path'
import {promisify} from 'node:util'
import {expect} from 'chai'
import {repositoryRoot} from '../support/cli.js'

const run = promisify(execFile)

/** One deliberate breach per wall; files that are imported only exist so that the import resolves. */
const BREACHES: Record<string, Record<string, string>> = {
  'no-cycles': {
    'src/lib/runs/a.ts': "import './b.js'\nexport const a = 1\n",
    'src/lib/runs/b.ts': "import './a.js'\nexport const b = 1\n",
  },
  'lib-below-the-doors': {
    'src/lib/bench/index.ts': "import '../../cli/flags.js'\n",
    'src/cli/flags.ts': 'export {}\n',
  },
  'doors-apart': {'src/server/app.ts': "import '../tui/screen.js'\n", 'src/tui/screen.ts': 'export {}\n'},
  'nothing-imports-workers': {
    'src/commands/bench.ts': "import '../workers/load.js'\n",
    'src/workers/load.ts': 'export {}\n',
  },
  'native-at-the-bottom': {'src/native/libc.ts': "import '../lib/foundation/index.js'\n"},
  'native-behind-lib': {
    'src/commands/list.ts': "import '../native/nvml.js'\n",
    'src/native/nvml.ts': 'export {}\n',
  },
  'monitors-make-no-cuda-context': {
    'src/lib/gpu/gpu-session.ts': "import '../../native/cuda.js'\n",
    'src/native/cuda.ts': 'export {}\n',
  },
  'through-the-index': {
    'src/commands/limit.ts': "import '../lib/segments/record.js'\n",
    'src/lib/segments/record.ts': 'export {}\n',
  },
  'cores-do-no-io': {'src/lib/metrics/ttft.ts': "import 'node:fs'\n"},
  'cores-know-no-shell': {
    'src/lib/engine/core/step.ts': "import '../shell.js'\n",
    'src/lib/engine/shell.ts': 'export {}\n',
  },
  'foundation-knows-nothing-of-ours': {
    'src/lib/foundation/breach.ts': "import '../memory/index.js'\n",
    'src/lib/memory/index.ts': 'export {}\n',
  },
  'openai-knows-nothing-of-ours': {'src/lib/openai/wire.ts': "import '../foundation/index.js'\n"},
}

/** A breach for a package that has a home: imported from a room that is not it. */
function strayImport(rule: string, pattern: string): Record<string, string> {
  const name = pattern
    .replace('(^|node_modules/)', '')
    .replace('(/|$)', '')
    .replace('csv-(parse|stringify)', 'csv-parse')
    .replace('@?', '')
    .replace(/^@oclif$/, '@oclif/core')
  return {[`src/lib/stray/${rule.replaceAll(/[^a-z-]/g, '')}.ts`]: `import '${name}'\n`}
}

interface Cruise {
  readonly summary: {readonly violations: readonly {readonly rule: {readonly name: string}}[]}
}

interface Wall {
  readonly name: string
  readonly to: {readonly path?: string}
}

function write(root: string, files: Record<string, string>): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), {recursive: true})
    writeFileSync(join(root, path), text)
  }
}

/** A small house with the real rules and only the foundation built. */
function sketchHouse(): string {
  const sketch = mkdtempSync(join(tmpdir(), 'kvctl-walls-'))
  const kept = [
    'package.json',
    'tsconfig.json',
    'test/tsconfig.json',
    'eslint.config.js',
    'dependency-cruiser.config.js',
  ]
  for (const file of [...kept, '.prettierrc.json', 'knip.json', 'scripts/check.js', 'src/lib/foundation']) {
    cpSync(join(repositoryRoot, file), join(sketch, file), {recursive: true})
  }
  symlinkSync(join(repositoryRoot, 'node_modules'), join(sketch, 'node_modules'))
  return sketch
}

describe('npm run check', function () {
  this.timeout(120_000)
  let sketch: string

  beforeEach(() => (sketch = sketchHouse()))
  afterEach(() => rmSync(sketch, {recursive: true}))

  const cruise = async (): Promise<string[]> => {
    const tool = join(repositoryRoot, 'node_modules/dependency-cruiser/bin/dependency-cruise.mjs')
    const args = [tool, 'src', '--config', 'dependency-cruiser.config.js', '--output-type', 'json']
    const {stdout} = await run(process.execPath, args, {cwd: sketch, maxBuffer: 64 * 2 ** 20}).catch(
      (error: unknown) => error as {stdout: string},
    )
    const {violations} = (JSON.parse(stdout) as Cruise).summary
    return [...new Set(violations.map(violation => violation.rule.name))].sort()
  }

  it('finds no breach in a house without one', async () => {
    expect(await cruise()).to.deep.equal([])
  })

  it('finds a breach of every wall', async () => {
    const {default: config} = (await import(join(repositoryRoot, 'dependency-cruiser.config.js'))) as {
      default: {forbidden: Wall[]}
    }
    // A wall whose package has not moved in yet stands already, but cannot be breached.
    const walls = config.forbidden.filter(({name}) => !/^(ink|ioredis)-/.test(name))
    for (const {name, to} of walls) write(sketch, BREACHES[name] ?? strayImport(name, to.path ?? ''))
    expect(await cruise()).to.deep.equal(walls.map(({name}) => name).sort())
  })

  it('turns red for a type error, a floating promise, a crooked line, a wall breached and code nobody uses', async () => {
    write(sketch, {
      'src/index.ts': "export const wrong: number = 'text'\nPromise.resolve(1)\nexport   const crooked = 1\n",
      'src/lib/runs/unused.ts': "import 'koffi'\nexport const nobodyUsesThis = 1\n",
    })
    const {stdout, code} = await run(process.execPath, ['scripts/check.js'], {cwd: sketch}).then(
      result => ({...result, code: 0}),
      (error: unknown) => error as {stdout: string; code: number},
    )
    expect(code).to.equal(1)
    for (const name of ['types', 'lint', 'format', 'walls', 'dead code'])
      expect(stdout).to.include(`FAILED ${name}`)
  })
})
