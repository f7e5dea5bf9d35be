import {readdirSync, readFileSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {expect} from 'chai'
import {runCli, type CliResult} from '../support/cli.js'
import {writeRunFixture} from '../support/run-fixture.js'
import {temporaryFolder} from '../support/temporary.js'
import {truthServers} from '../support/truth-servers.js'
import {vllmResult} from '../support/vllm-result.js'

type Json = Record<string, unknown>

describe('kvctl export and import', () => {
  const folder = temporaryFolder()
  const startTruthServer = truthServers()
  const kvctl = (...args: string[]): Promise<CliResult> =>
    runCli(args, {cwd: folder(), env: {KVMINI_OUTPUT_DIR: ''}})
  const read = (path: string): Json => JSON.parse(readFileSync(path, 'utf8')) as Json

  it('prints a run in each shape, writes it where it is told, and takes the names that the tools use', async () => {
    const options = {
      requests: 50,
      warmupRequests: 4,
      concurrency: 5,
      tokens: 12,
      model: 'toy',
      failure: '503',
    }
    await writeRunFixture(join(folder(), 'runs', 'one'), options)
    const printed = await kvctl('export', '--run-dir', 'runs/one', '--format', 'vllm', '--detailed')
    expect(printed).to.include({code: 0, stderr: ''})
    const vllm = JSON.parse(printed.stdout) as Json
    expect(vllm).to.include({completed: 48, failed: 2, num_prompts: 50, total_output_tokens: 48 * 12})
    expect(vllm['itls']).to.have.length(50)
    const results = read(join(folder(), 'runs', 'one', 'results.json'))
    expect(vllm['median_ttft_ms']).to.be.closeTo(results['ttft_p50_ms'] as number, 0.001)
    expect(vllm['p99_itl_ms']).to.be.closeTo(results['itl_p99_ms'] as number, 0.001)

    const args = ['export', '--run-dir', 'runs/one', '--format']
    const asJson = await kvctl(...args, 'guidellm', '--output', 'guide.json', '--json')
    expect(JSON.parse(asJson.stdout)).to.include({run_id: 'one', format: 'guidellm'})
    expect(read(join(folder(), 'guide.json'))).to.have.nested.property(
      'benchmarks[0].metrics.request_totals.total',
      50,
    )
    expect((await kvctl(...args, 'aiperf', '--output-dir', 'artifacts')).code).to.equal(0)
    expect(readdirSync(join(folder(), 'artifacts')).sort()).to.deep.equal([
      'profile_export.jsonl',
      'profile_export_aiperf.json',
    ])
    expect((await kvctl(...args, 'vllm', '--percentile', '50', '--percentile', '99.9')).stdout)
      .to.include('"p50_ttft_ms"')
      .and.include('"p99.9_ttft_ms"')
  })

  it("writes AIPerf's inputs.json: the bodies that the server took, conversation by conversation", async () => {
    const payloadsOf = async (run: string, ...how: string[]) => {
      const server = await startTruthServer({ttftMs: 1, gapMs: 1, tokens: 3})
      const shared = ['--requests', '6', '--concurrency', '2', '--warmup', '1', '--profile', 'cpu-smoke']
      const conversations = ['--dataset', 'multi-turn', '--turns', '3', '--input-tokens', '8', ...how]
      const bench = await kvctl('bench', '--url', server.url, ...shared, ...conversations, '--run-dir', run)
      expect(bench.code, bench.stderr).to.be.oneOf([0, 5])
      const exported = await kvctl(
        'export',
        '--run-dir',
        run,
        '--format',
        'aiperf',
        '--output-dir',
        `${run}-out`,
      )
      const log = new Map((await server.stop()).map(({requestId, body}) => [requestId, body]))
      const file = (name: string): string => readFileSync(join(folder(), `${run}-out`, name), 'utf8')
      const {data} = JSON.parse(file('inputs.json')) as {data: {session_id: string; payloads: Json[]}[]}
      const records = file('profile_export.jsonl')
        .trim()
        .split('\n')
        .map(line => (JSON.parse(line) as {metadata: Json}).metadata)
      return {exported, log, data, records}
    }
    const {exported, log, data, records} = await payloadsOf('fixed')
    expect(exported).to.include({code: 0, stderr: ''})
    expect(data.map(({session_id}) => session_id)).to.deep.equal(['fixed-2', 'fixed-5'])
    expect(data.map(({payloads}) => payloads)).to.deep.equal([
      ['fixed-2', 'fixed-3', 'fixed-4'].map(id => log.get(id)),
      ['fixed-5', 'fixed-6', 'fixed-7'].map(id => log.get(id)),
    ])
    expect(
      records.map(({conversation_id, turn_index, x_request_id}) => [
        conversation_id,
        turn_index,
        x_request_id,
      ]),
    ).to.deep.equal([
      ...[0, 1, 2].map(turn => ['fixed-2', turn, `fixed-${2 + turn}`]),
      ...[0, 1, 2].map(turn => ['fixed-5', turn, `fixed-${5 + turn}`]),
    ])
    const live = await payloadsOf('live', '--history', 'live')
    expect(live.exported.stderr).to.match(/^Warning: inputs\.json lacks the server's answers/)
    const asked = (live.log.get('live-4')!['messages'] as Json[]).filter(({role}) => role === 'user')
    expect(live.data[0]!.payloads[2]).to.deep.equal({...live.log.get('live-4'), messages: asked})
  })

  it("makes a run of vLLM's result, which analyze, gate and report read, and gives the same result back", async () => {
    const original = vllmResult()
    writeFileSync(join(folder(), 'vllm.json'), JSON.stringify(original))
    expect(await kvctl('import', 'vllm.json', '--output-dir', 'run')).to.include({code: 0, stderr: ''})
    const results = read(join(folder(), 'run', 'results.json'))
    expect(results).to.include({ttft_p50_ms: 152.346, error_rate: 0.333333}) // (101.234567 + 203.456789) / 2
    expect(results['outcomes']).to.deep.equal({ok: 2, invalid_response: 1})
    expect((await kvctl('analyze', '--run-dir', 'run')).code).to.equal(0)
    expect((await kvctl('report', '--run-dir', 'run')).code).to.equal(0)
    expect((await kvctl('gate', '--run-dir', 'run', '--objective', 'error_rate < 1%')).code).to.equal(5)

    const back = await kvctl('export', '--run-dir', 'run', '--format', 'vllm')
    expect(back.stderr).to.equal('')
    expect(JSON.parse(back.stdout)).to.deep.equal(original)
  })

  it('gives back what the records say where they no longer say the same, and warns', async () => {
    writeFileSync(join(folder(), 'vllm.json'), JSON.stringify({...vllmResult(), mean_ttft_ms: 12}))
    expect((await kvctl('import', 'vllm.json', '--output-dir', 'run')).code).to.equal(0)
    const {stdout, stderr} = await kvctl('export', '--run-dir', 'run', '--format', 'vllm')
    expect(stderr).to.match(/^Warning: mean_ttft_ms of imported\.json does not follow/m)
    expect((JSON.parse(stdout) as Json)['mean_ttft_ms']).to.be.closeTo((101.234567 + 203.456789) / 2, 0.001)
  })

  it('takes totals where there are no single requests, one run a line, for gate alone', async () => {
    const totals = Object.fromEntries(
      Object.entries(vllmResult()).filter(([, value]) => !Array.isArray(value)),
    )
    writeFileSync(join(folder(), 'lines.json'), `${JSON.stringify(totals)}\n${JSON.stringify(totals)}\n`)
    const {code, stdout, stderr} = await kvctl('import', 'lines.json', '--output-dir', 'both', '--json')
    expect(code, stderr).to.equal(0)
    expect((JSON.parse(stdout) as {runs: Json[]}).runs.map(run => run['has_requests'])).to.deep.equal([
      false,
      false,
    ])
    expect(stderr).to.match(/^Warning: lines\.json has no single requests/m)
    const gate = ['gate', '--run-dir', 'both/2', '--objective']
    expect((await kvctl(...gate, 'error_rate <= 50%')).stdout).to.match(/^PASS/)
    expect((await kvctl('analyze', '--run-dir', 'both/2')).code).to.equal(4)
    const back = await kvctl('export', '--run-dir', 'both/1', '--format', 'vllm')
    expect(JSON.parse(back.stdout)).to.deep.equal(totals)
  })
})
