import {execFileSync} from 'node:child_process'
import {once} from 'node:events'
import {existsSync, mkdirSync, readFileSync, writeFileSync} from 'node:fs'
import {createServer} from 'node:https'
import type {AddressInfo} from 'node:net'
import {join} from 'node:path'
import {expect} from 'chai'
import {repositoryRoot, runCli, type CliResult} from '../support/cli.js'
import {describeWith} from '../support/requires.js'
import {temporaryFolder} from '../support/temporary.js'
import {startTruthServer, type TruthServer} from '../support/truth.js'

interface Plan {
  readonly target: Readonly<Record<string, unknown>>
  readonly plan: Readonly<Record<string, unknown>>
}

describe('the flags of bench that kserve-vllm-mini has', function () {
  this.timeout(60_000)
  const folder = temporaryFolder()
  let server: TruthServer

  before(async () => {
    server = await startTruthServer({ttftMs: 1, gapMs: 1, tokens: 3})
  })
  after(() => server.stop())

  const bench = async (...args: string[]): Promise<CliResult> => runCli(['bench', ...args], {cwd: folder()})
  const plan = async (...args: string[]): Promise<Plan> => {
    const {code, stdout, stderr} = await bench('--dry-run', '--json', ...args)
    expect(code, stderr).to.equal(0)
    return JSON.parse(stdout) as Plan
  }
  const measure = async (...args: string[]): Promise<Readonly<Record<string, unknown>>> => {
    const all = ['--url', server.url, '--requests', '2', '--warmup', '0', '--json', ...args]
    const {code, stdout, stderr} = await bench(...all)
    expect(code, stderr).to.equal(0)
    return JSON.parse(stdout) as Record<string, unknown>
  }

  it('--requests, --concurrency and --max-tokens: how much, whatever the profile says', async () => {
    const args = ['--requests', '500', '--concurrency', '20', '--max-tokens', '256']
    expect((await plan(...args)).plan).to.include({requests: 500, concurrency: 20, max_tokens: 256})
  })

  it('without a flag: profile standard, 100 tokens an answer', async () => {
    expect((await plan()).plan).to.include({
      ...{pattern: 'steady', requests: 200, concurrency: 10, warmup_requests: 50, max_tokens: 100},
      ...{temperature: 0.8, top_p: 0.9, stream: true},
    })
  })

  it('--profile: the path that upstream has, a shipped name or a file', async () => {
    const [byPath, byName] = [
      await plan('--profile', 'runners/profiles/cpu-smoke.yaml'),
      await plan('--profile', 'cpu-smoke'),
    ]
    expect({...byPath.plan, prompt_seed: null}).to.deep.equal({...byName.plan, prompt_seed: null})
    mkdirSync(join(folder(), 'runners/profiles'), {recursive: true})
    const own = 'pattern: bursty\nrequests: 7\nconcurrency: 3\nmax_tokens: 5\n'
    writeFileSync(join(folder(), 'runners/profiles/cpu-smoke.yaml'), own)
    expect((await plan('--profile', 'runners/profiles/cpu-smoke.yaml')).plan).to.include({
      ...{pattern: 'bursty', requests: 7, concurrency: 3, max_tokens: 5},
    })
  })

  it("--profile: a run that misses the profile's validation is kept, and leaves with 5", async () => {
    writeFileSync(join(folder(), 'strict.yaml'), 'validation: {min_throughput_rps: 1000000}\n')
    const args = ['--url', server.url, '--requests', '2', '--warmup', '0', '--output-dir', 'run']
    const {code, stdout, stderr} = await bench(...args, '--profile', 'strict.yaml')
    expect(code).to.equal(5)
    expect(stdout).to.contain('2 of 2 requests succeeded')
    expect(stderr).to.match(
      /^Error: the run misses a rule of profile strict: min_throughput_rps \(throughput_rps [\d.]+ < 1000000\)$/m,
    )
    expect(existsSync(join(folder(), 'run/report.html'))).to.equal(true)
  })

  it('--dry-run: prints the plan, asks no server, makes no folder', async () => {
    const {code, stdout} = await bench('--dry-run', '--url', 'http://127.0.0.1:1')
    expect(code).to.equal(0)
    expect(stdout).to.match(/^requests +200$/m)
    expect(existsSync(join(folder(), 'runs'))).to.equal(false)
  })

  it('--dry-run: leaves with 2 where the configuration is wrong', async () => {
    writeFileSync(join(folder(), 'bad.yaml'), 'requests: many\n')
    expect((await bench('--dry-run', '--profile', 'bad.yaml')).code).to.equal(2)
  })

  it('--namespace and --service: stand in the result', async () => {
    const {metadata} = await measure('--namespace', 'ml-prod', '--service', 'demo-llm')
    expect(metadata).to.include({namespace: 'ml-prod', service: 'demo-llm', profile: 'standard'})
  })

  it('--skip-deploy: measures what runs already, --model-uri or not', async () => {
    const args = ['--model-uri', 's3://models/llama-3.1-8b/', '--skip-deploy']
    expect((await measure(...args))['requests']).to.deep.equal({total: 2, success: 2})
  })

  for (const flag of ['--output-dir', '--run-dir']) {
    it(`${flag}: where the run lies`, async () => {
      const {run_dir: made} = await measure(flag, 'results/experiment1')
      expect(made).to.equal(join(folder(), 'results/experiment1'))
      expect(existsSync(join(folder(), 'results/experiment1/results.json'))).to.equal(true)
    })
  }

  it('without --output-dir: runs/YYYY-MM-DD_HH-MM-SS', async () => {
    expect((await measure())['run_dir']).to.match(/\/runs\/\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d$/)
  })

  it('--url and --model: whom to ask for what', async () => {
    const {target} = await plan('--url', 'http://localhost:8000', '--model', 'm')
    expect(target).to.deep.equal({
      url: 'http://localhost:8000',
      urls: ['http://localhost:8000'],
      model: 'm',
      is_embedded: false,
    })
  })

  for (const [pattern, named] of [
    ['steady', 'steady'],
    ['poisson', 'poisson'],
    ['bursty', 'bursty'],
    ['heavy', 'heavy'],
    ['burst', 'bursty'],
    ['ramp', 'ramp'],
  ] as const) {
    it(`--pattern ${pattern}`, async () => {
      expect((await plan('--pattern', pattern)).plan['pattern']).to.be.oneOf([pattern, named])
    })
  }

  it('--list-profiles: needs no cluster', async () => {
    const {code, stdout} = await bench('--list-profiles')
    expect(code).to.equal(0)
    expect(stdout.trim().split('\n')).to.include.members(['standard', 'cpu-smoke'])
  })

  it('--api-key: never in the run directory', async () => {
    const {run_dir: made} = await measure('--api-key', 'very-secret')
    expect(readFileSync(join(made as string, 'meta.json'), 'utf8')).to.not.contain('very-secret')
  })

  describeWith(['openssl'], 'and TLS', () => {
    it('--insecure: takes a certificate that nobody signed', async () => {
      const [key, cert] = [join(folder(), 'key.pem'), join(folder(), 'cert.pem')]
      execFileSync(
        'openssl',
        [
          ...['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '1', '-subj', '/CN=localhost'],
          ...['-keyout', key, '-out', cert],
        ],
        {stdio: 'ignore', cwd: repositoryRoot},
      )
      const tls = createServer({key: readFileSync(key), cert: readFileSync(cert)}, (request, reply) => {
        reply.setHeader('content-type', 'application/json')
        if (request.url === '/v1/models') reply.end('{"object":"list","data":[{"id":"m","object":"model"}]}')
        else
          reply.end(
            '{"choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}',
          )
        request.resume()
      }).listen(0, '127.0.0.1')
      await once(tls, 'listening')
      const url = `https://127.0.0.1:${(tls.address() as AddressInfo).port}`
      const args = ['--url', url, '--requests', '2', '--warmup', '0', '--no-stream']
      try {
        const refused = await bench(...args)
        expect(refused.code).to.equal(3)
        expect(refused.stderr).to.match(/^Error: .*certificate/)
        const accepted = await bench(...args, '--insecure')
        expect(accepted.code, accepted.stderr).to.equal(0)
      } finally {
        tls.closeAllConnections()
        tls.close()
      }
    })
  })
})
