import {mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {expect} from 'chai'
import {runCli} from '../support/cli.js'
import {writeRunFixture} from '../support/run-fixture.js'
import {temporaryFolder} from '../support/temporary.js'

describe('kvctl analyze', () => {
  const folder = temporaryFolder()
  const options = {
    requests: 60,
    warmupRequests: 5,
    concurrency: 4,
    tokens: 16,
    model: 'toy',
    failure: '503 full',
  }
  const run = async (): Promise<string> =>
    (await writeRunFixture(join(folder(), 'runs', 'one'), options)).path
  const json = (path: string): unknown => JSON.parse(readFileSync(path, 'utf8'))

  it('recomputes the latest run and prints a summary and where the figures are', async () => {
    const path = await run()
    symlinkSync('one', join(folder(), 'runs', 'latest'))
    const before = readFileSync(join(path, 'results.json'), 'utf8')
    rmSync(join(path, 'results.json'))
    const {code, stdout} = await runCli(['analyze'], {cwd: folder()})
    expect(code).to.equal(0)
    expect(readFileSync(join(path, 'results.json'), 'utf8')).to.equal(before)
    const lines = stdout.split('\n')
    expect(lines[0]).to.match(/^Run one: 58 of 60 requests succeeded in /)
    expect(lines[1]).to.equal('Failed: 2 http_5xx')
    expect(stdout).to.match(/^TTFT( +\d+\.\d+){5} {3}send to first token$/m)
    expect(lines.slice(-3)).to.deep.equal([`${path}/results.json`, `${path}/analysis.json`, ''])
  })

  it('prints results.json under --json and nothing else on stdout', async () => {
    const path = await run()
    const {code, stdout} = await runCli(['analyze', '--run-dir', path, '--json'])
    expect(code).to.equal(0)
    expect(JSON.parse(stdout)).to.deep.equal(json(join(path, 'results.json')))
  })

  it('writes the analysis output where it is told', async () => {
    const path = await run()
    rmSync(join(path, 'analysis.json'))
    const output = join(folder(), 'experiment1-analysis.json')
    const {code} = await runCli(['analyze', '--run-dir', path, '--output', output])
    expect(code).to.equal(0)
    expect(Object.keys(json(output) as object)).to.deep.equal(['summary', 'latency', 'throughput', 'errors'])
    expect(() => readFileSync(join(path, 'analysis.json'))).to.throw(/ENOENT/)
  })

  it('takes namespace and service, and says when no cluster tells of its pods', async () => {
    const path = await run()
    const {code, stdout, stderr} = await runCli(
      ['analyze', ...['--run-dir', path, '--namespace', 'ml-prod', '--service', 'demo-llm', '--json']],
      {env: {KUBECONFIG: join(folder(), 'none'), KUBERNETES_SERVICE_HOST: ''}},
    )
    expect(code).to.equal(0)
    expect((JSON.parse(stdout) as {metadata: object}).metadata).to.include({
      namespace: 'ml-prod',
      service: 'demo-llm',
    })
    expect(stderr).to.match(
      /^Warning: pods of demo-llm are not seen, nor cold starts: (no Kubernetes cluster can be reached|kubectl is not)/m,
    )
  })

  for (const [what, prepare, code, message] of [
    ['there is no run', () => undefined, 4, /^Error: there is no run directory at .*run$/m],
    [
      'the run has no requests.csv',
      (path: string) => mkdirSync(path),
      4,
      /^Error: there is no .*requests\.csv$/m,
    ],
    [
      'requests.csv is something else',
      (path: string) => {
        mkdirSync(path)
        writeFileSync(join(path, 'requests.csv'), 'a,b\n1,2\n')
      },
      2,
      /^Error: .*requests\.csv has no column start_ms, latency_ms, status$/m,
    ],
    [
      'requests.csv holds no request',
      (path: string) => {
        mkdirSync(path)
        writeFileSync(join(path, 'requests.csv'), 'id,start_ms,latency_ms,status\n')
      },
      1,
      /^Error: .* holds no measured request$/m,
    ],
    [
      'meta.json is torn',
      (path: string) => {
        mkdirSync(path)
        writeFileSync(join(path, 'requests.csv'), 'id,start_ms,latency_ms,status\n1,1,1,200\n')
        writeFileSync(join(path, 'meta.json'), '{"url')
      },
      2,
      /^Error: .*meta\.json is not readable: [^\n]*$/m,
    ],
  ] as const) {
    it(`leaves with ${code} and one line when ${what}`, async () => {
      const path = join(folder(), 'run')
      prepare(path)
      const text = await runCli(['analyze', '--run-dir', path])
      expect(text.code).to.equal(code)
      expect(text.stderr).to.match(message)
      expect(text.stdout).to.equal('')
      const asJson = await runCli(['analyze', '--run-dir', path, '--json'])
      expect(asJson.code).to.equal(code)
      expect((JSON.parse(asJson.stdout) as {error: object}).error).to.include({exit_code: code})
    })
  }
})
