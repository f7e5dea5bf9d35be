import {readFileSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {expect} from 'chai'
import {runCli} from '../support/cli.js'
import {temporaryFolder} from '../support/temporary.js'
import {startTruthServer, type TruthServer} from '../support/truth.js'

describe('kvctl gate', function () {
  this.timeout(60_000)
  const folder = temporaryFolder()
  let server: TruthServer

  before(async () => {
    server = await startTruthServer({ttftMs: 20, gapMs: 2, tokens: 10})
  })
  after(() => server.stop())

  /** A run of 80 requests of ten tokens each. */
  async function measure(): Promise<string> {
    const run = join(folder(), 'run')
    const args = ['--requests', '80', '--concurrency', '4', '--warmup', '4', '--output-dir', run]
    const {code, stderr} = await runCli(['bench', '--url', server.url, ...args], {cwd: folder()})
    expect(code, stderr).to.equal(0)
    // A machine at work may limit the client, which leaves every time open: another test's matter.
    const file = join(run, 'results.json')
    writeFileSync(
      file,
      readFileSync(file, 'utf8').replace('"client_limited": true', '"client_limited": false'),
    )
    return run
  }

  it('passes, fails or leaves open a real run, in text, JSON, JUnit XML and on GitHub', async () => {
    const run = await measure()
    const gate = (args: string[], env = {}) =>
      runCli(['gate', '--run-dir', run, ...args], {cwd: folder(), env})
    const kept = ['--objective', 'p50(ttft) <= 60s', '--objective', 'error_rate <= 0%']

    const passed = await gate(kept)
    expect(passed).to.include({code: 0, stderr: ''})
    expect(passed.stdout)
      .to.match(/^PASS +p50\(ttft\) <= 60s: .* n=80\)$/m)
      .and.match(/^PASS {2}\S*results\.json$/m)

    const files = Object.fromEntries(['junit', 'summary', 'output'].map(name => [name, join(folder(), name)]))
    const env = {
      GITHUB_STEP_SUMMARY: files['summary'],
      GITHUB_OUTPUT: files['output'],
      GITHUB_ACTIONS: 'true',
    }
    // Not a time: a busy machine may make the load generator the limit, which leaves times open.
    const failed = await gate(['--objective', 'p50(output_tokens) > 10', '--junit', files['junit']!], env)
    expect(failed.code).to.equal(5)
    expect(failed.stderr).to.match(
      /^Error: the run misses p50\(output_tokens\) > 10 \(10 tokens <= 10 tokens/m,
    )
    expect(failed.stderr).to.match(/^::error title=SLO missed::p50\(output_tokens\) > 10/m)
    expect(readFileSync(files['junit']!, 'utf8')).to.include('failures="1"')
    expect(readFileSync(files['summary']!, 'utf8')).to.include('### kvctl gate: FAIL')
    expect(readFileSync(files['output']!, 'utf8')).to.equal('verdict=FAIL\n')

    // 80 requests bound no p99 from above.
    const open = ['--objective', 'p99(ttft) <= 60s']
    const asJson = await gate([...open, '--json'])
    expect(asJson.code).to.equal(5)
    expect(JSON.parse(asJson.stdout))
      .to.include({verdict: 'INCONCLUSIVE'})
      .and.have.nested.property('error.code', 'SLO_INCONCLUSIVE')
    expect((await gate([...open, '--allow-inconclusive'])).code).to.equal(0)

    const missing = ['--objective', 'energy_wh_per_1k_tokens <= 50']
    expect((await gate(missing)).code).to.equal(5)
    expect((await gate([...missing, '--allow-missing'])).stdout).to.match(/^SKIPPED +energy/m)
  })

  it('reads a results.json and a slo.json of kserve-vllm-mini, and says by line what is wrong with a file', async () => {
    const [results, slo] = ['results.json', 'slo.json'].map(name => join(folder(), name)) as [string, string]
    writeFileSync(results, '{"p95_ms": 2500, "error_rate": 0.005}')
    writeFileSync(slo, '{"p95_ms": 1200, "error_rate": 0.02}')
    const {code, stdout} = await runCli(['gate', '--results', results], {cwd: folder()})
    expect(code).to.equal(5)
    expect(stdout)
      .to.match(/^FAIL +p95_ms <= 1200: 2500 ms > 1200 ms$/m)
      .and.match(/^PASS +error_rate <= 0\.02/m)
    writeFileSync(slo, 'objectives:\n  - fast\n')
    const bad = await runCli(['gate', '--results', results, '--slo', slo])
    expect(bad.code).to.equal(2)
    expect(bad.stderr).to.match(/^Error: .*slo\.json:2: 'fast' is not an objective$/m)
  })
})
