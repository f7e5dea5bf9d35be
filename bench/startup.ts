/**
 * Start to end of `kvctl list --json`, with one segment to read and to find the owner of, beside the two floors it is judged by: an empty Node program, and what kvcached's own
 * CLI cannot be faster than (`import numpy`). All in one interleaved run; medians.
 *
 *     npm run build && npm run build:test && node build/bench/startup.js [ROUNDS]
 */
import {spawnSync} from 'node:child_process'
import {mkdtempSync, rmSync, writeFileSync} from 'node:fs'
import {cpus, tmpdir} from 'node:os'
import {join} from 'node:path'
import {repositoryRoot} from '../test/support/cli.js'
import {median} from './support/median.js'

const folder = mkdtempSync(join(tmpdir(), 'kvctl-startup-'))
process.on('exit', () => rmSync(folder, {recursive: true}))
writeFileSync(join(folder, 'kvcached_vLLM_12345'), new BigInt64Array([8n << 30n, 6n << 30n, 0n]))
const env = {...process.env, KVCTL_SHM_DIR: folder, KVCTL_STATE_DIR: join(folder, 'state')}

const rounds = Number(process.argv[2] ?? 15)
const programs: Record<string, [string, string[]]> = {
  'node -e 0': [process.execPath, ['-e', '0']],
  'kvctl list --json': [process.execPath, [join(repositoryRoot, 'bin/run.js'), 'list', '--json']],
  'python3 -c "import numpy"': ['/usr/bin/python3', ['-c', 'import numpy']],
}

const times = Object.fromEntries(Object.keys(programs).map(name => [name, [] as number[]]))
for (let round = -1; round < rounds; round++) {
  for (const [name, [program, args]] of Object.entries(programs)) {
    const start = performance.now()
    const {status} = spawnSync(program, args, {stdio: 'ignore', env})
    if (status !== 0) throw new Error(`${name} left with ${String(status)}`)
    if (round >= 0) times[name]!.push(performance.now() - start) // round −1 warms the disk cache
  }
}

const medians = Object.fromEntries(Object.entries(times).map(([name, all]) => [name, median(all)]))
console.log(`${cpus()[0]?.model ?? 'unknown CPU'}, Node ${process.version}, median of ${rounds}`)
for (const [name, ms] of Object.entries(medians)) console.log(`${name.padEnd(28)} ${ms.toFixed(1)} ms`)
const ours = medians['kvctl list --json']!
console.log(`beside node -e 0             ${(ours / medians['node -e 0']!).toFixed(2)} × (goal ≤ 3.5)`)
console.log(
  `beside import numpy          ${(ours / medians['python3 -c "import numpy"']!).toFixed(2)} × (goal ≤ 0.9)`,
)
