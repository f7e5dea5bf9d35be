import {readFile, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {expect} from 'chai'
import {EXIT} from '../../src/lib/foundation/index.js'
import type {GateJson} from '../../src/lib/gate/index.js'
import {runCli} from '../support/cli.js'
import {temporaryFolder} from '../support/temporary.js'
import {startTruthServer} from '../support/truth.js'

const VERDICT = /^(?:PASS|FAIL|INCONCLUSIVE) +.*$/gm

describe('an objective', () => {
  const folder = temporaryFolder()

  const bench = async (name: string, load: readonly string[], ...objectives: string[]) => {
    const server = await startTruthServer({ttftMs: 40, gapMs: 1, tokens: 4})
    const run = join(folder(), name)
    const slo = objectives.flatMap(objective => ['--slo', objective])
    const shared = ['--url', server.url, '--profile', 'cpu-smoke', '--warmup', '0', '--output-dir', run]
    const benched = await runCli(['bench', ...shared, ...load, ...slo], {cwd: folder()})
    await server.stop()
    return {run, ...benched}
  }
  const isOf = (objectives: readonly string[]) => (line: string) =>
    objectives.some(text => line.includes(text))

  for (const [mode, load] of [
    ['a closed loop', ['--requests', '120', '--concurrency', '4']],
    ['a schedule', ['--requests', '120', '--rate', '100']],
  ] as const) {
    it(`is judged alike by bench --slo and by gate, in ${mode}`, async () => {
      const objectives = ['p50(ttft) <= 10s', 'p50(ttft) <= 1ms', 'p99.9(e2e) <= 10s', 'error_rate < 1%']
      const {run, code, stderr} = await bench('run', load, ...objectives)
      expect(code, stderr).to.equal(EXIT.validation)
      const said = (stderr.match(VERDICT) ?? []).filter(isOf(objectives))
      const gated = await runCli(['gate', '--run-dir', run], {cwd: folder()})
      expect(gated.code, 'without --objective: those of the run').to.equal(EXIT.validation)
      expect(gated.stdout.match(VERDICT)!.filter(isOf(objectives))).to.deep.equal(said)
      expect(said).to.have.length(objectives.length)
      const named = await runCli([
        'gate',
        '--run-dir',
        run,
        ...objectives.flatMap(text => ['--objective', text]),
        '--json',
      ])
      const {objectives: judged} = JSON.parse(named.stdout) as GateJson
      expect(
        judged.map(({verdict, objective, reason}) => `${verdict.padEnd(12)}  ${objective}: ${reason}`),
      ).to.deep.equal(said)
    })
  }

  it('that is not reached, and one that is undecided, leave bench with 5; the latter unless that is allowed', async () => {
    const missed = await bench('missed', ['--requests', '60'], 'error_rate > 50%')
    expect([missed.code, missed.stderr]).to.satisfy(
      ([code, text]: [number, string]) =>
        code === EXIT.validation && text.includes('the run misses error_rate > 50%'),
    )
    // 20 requests bound no 99th percentile.
    const undecided = await bench('few', ['--requests', '20'], 'p99(ttft) <= 10s')
    expect(undecided.code, undecided.stderr).to.equal(EXIT.validation)
    expect(undecided.stderr).to.contain('the run does not decide p99(ttft) <= 10s')
    const args = ['--requests', '20', '--allow-inconclusive', '--json']
    const allowed = await bench('allowed', args, 'p99(ttft) <= 10s')
    expect(allowed.code, allowed.stderr).to.equal(0)
    expect(JSON.parse(allowed.stdout)).to.have.nested.property('slo.verdict', 'INCONCLUSIVE')
  })

  it('may stand in a file, and is refused before anything is sent when it is none', async () => {
    const file = join(folder(), 'goals.yaml')
    await writeFile(file, "objectives: ['error_rate < 1%']\n")
    const {run, code, stderr} = await bench('file', ['--requests', '20'], file)
    expect(code, stderr).to.equal(0)
    const meta = JSON.parse(await readFile(join(run, 'meta.json'), 'utf8')) as {objectives: string[]}
    expect(meta.objectives).to.deep.equal(['error_rate < 1%'])
    const wrong = await bench('wrong', ['--requests', '20'], 'p95(ttft) <= 500 parsecs')
    expect([wrong.code, wrong.stderr]).to.satisfy(
      ([status, text]: [number, string]) =>
        status === EXIT.configuration && text.includes("'parsecs' is not a unit"),
    )
  })
})
