import {existsSync} from 'node:fs'
import {join} from 'node:path'
import {expect} from 'chai'
import {runCli} from '../support/cli.js'
import {endEngine, startEngine} from '../support/engine-process.js'
import {temporaryFolder} from '../support/temporary.js'
import {describeWith} from '../support/requires.js'
import {startTruthServer} from '../support/truth.js'
import {Tmux} from '../support/tmux.js'

interface ApiProbe {
  readonly capabilities: readonly {
    readonly name: string
    readonly supported: boolean | null
    readonly detail: string
  }[]
}
interface CacheProbe {
  readonly unique: {cache_hit_ratio: number | null}
  readonly repeated: {cache_hit_ratio: number | null}
  readonly verdict: string
}

describe('kvctl probe', function () {
  this.timeout(60_000)
  const folder = temporaryFolder()

  it('finds every part of the API on an engine that has it, and says why not where it does not', async () => {
    const engine = await startEngine('--speedup', '50')
    const {code, stdout, stderr} = await runCli(['probe', 'api', '--url', engine.url, '--json'])
    await endEngine(engine.child, 'SIGTERM')
    expect({code, stderr}).to.deep.equal({code: 0, stderr: ''})
    const {capabilities} = JSON.parse(stdout) as ApiProbe
    const missing = capabilities.filter(one => one.supported === false)
    // It was started without --enable-auto-tool-choice.
    expect(missing.map(({name}) => name)).to.deep.equal(['auto_tools'])
    expect(missing[0]!.detail).to.match(/^400: .*auto/)
    expect(capabilities.map(({name}) => name)).to.include.members([
      'streaming',
      'stream_usage',
      'json_schema',
      'tools',
      'logprobs',
    ])
  })

  it('finds a server that streams whatever it is asked, and no more', async () => {
    const server = await startTruthServer({ttftMs: 1, gapMs: 1, tokens: 2})
    const {code, stdout} = await runCli(['probe', 'api', '--url', server.url])
    await server.stop()
    expect(code).to.equal(0)
    expect(stdout)
      .to.match(/^streaming +yes$/m)
      .and.match(/^chat +no +no message$/m)
      .and.match(/^logprobs +no/m)
  })

  it('finds the prefix cache of an engine, and none where it is off', async () => {
    for (const [args, verdict] of [
      [[], /^works$/],
      [['--no-enable-prefix-caching'], /^no_evidence$/],
    ] as const) {
      const engine = await startEngine('--gpu-type', 'T4', '--speedup', '8', ...args)
      const output = join(folder(), args.length === 0 ? 'on' : 'off')
      const probe = ['probe', 'cache', '--url', engine.url, '--requests', '24', '--prefix-tokens', '512']
      const {code, stdout, stderr} = await runCli([...probe, '--output-dir', output, '--json'])
      await endEngine(engine.child, 'SIGTERM')
      expect(code, stderr).to.equal(0)
      expect(stderr).to.match(/^\d+\/26 requests · /m)
      const found = JSON.parse(stdout) as CacheProbe
      expect(found.verdict, stdout).to.match(verdict)
      if (args.length === 0) expect(found.repeated.cache_hit_ratio).to.be.above(0.7)
      expect(found.unique.cache_hit_ratio ?? 0).to.be.below(0.2)
      expect(existsSync(join(output, 'repeated', 'results.json'))).to.equal(true)
    }
  })
})

describeWith(['tmux', 'ps'], 'kvctl probe on a terminal', () => {
  const folder = temporaryFolder()
  let tmux: Tmux

  beforeEach(() => (tmux = new Tmux()))
  afterEach(() => tmux.close())

  it('tells how many answers are there, how fast they come, and how long the others will take', async () => {
    const server = await startTruthServer({ttftMs: 400, gapMs: 1, tokens: 2})
    await tmux.start('probe', 'api', '--url', server.url)
    await tmux.shows(/\d+ of 14 requests answered, \d\.\d\/s, \d\.\d s left/)
    await tmux.shows(/^stop +no/m)
    expect(tmux.screen).not.to.contain('answered,')
    await server.stop()
  })

  it('tells of each half of the cache probe how far it is', async () => {
    const server = await startTruthServer({ttftMs: 100, gapMs: 1, tokens: 2})
    const output = join(folder(), 'run')
    await tmux.start('probe', 'cache', '--url', server.url, '--requests', '20', '--output-dir', output)
    for (const prompts of ['that nobody has seen', 'that begin alike']) {
      await tmux.shows(new RegExp(`Measuring prompts ${prompts}`))
      await tmux.shows(/^\d+\/22 requests · [\d.]+ m?s left/m)
    }
    await tmux.shows(/No evidence of a prefix cache/)
    await server.stop()
  })
})
