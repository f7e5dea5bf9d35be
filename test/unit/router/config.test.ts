import {expect} from 'chai'
import {parseYaml} from '../../../src/lib/config/index.js'
import {ConfigurationError} from '../../../src/lib/foundation/index.js'
import {splitWords} from '../../../src/lib/router/config/split-words.js'
import {controllerConfigOf, type ControllerConfig} from '../../../src/lib/router/index.js'

const read = (text: string, environment: NodeJS.ProcessEnv = {}): ControllerConfig =>
  controllerConfigOf(parseYaml(text, 'c.yaml'), environment)

/** Every key of upstream's file. */
const UPSTREAM = `
kvcached: {kvcached_gpu_utilization: 0.9, page_prealloc_enabled: true}
router: {enable_router: true, router_port: 8081, router_host: localhost}
sleep_manager:
  idle_threshold_seconds: 100
  check_interval_seconds: 20
  auto_sleep_enabled: true
  wakeup_on_request: false
  min_sleep_duration: 80
launch_delay_seconds: 15
instances:
  - name: a
    model: meta-llama/Llama-3.2-1B
    engine: vllm
    using_venv: true
    venv_path: ../venv
    kvcached_env: ["KVCACHED_IPC_NAME=VLLM"]
    engine_env: ["VLLM_USE_V1=1", "A=b=c"]
    engine_args: ["--port=12346", "--max-model-len 4096", "--note 'two words'"]
  - model: Qwen/Qwen3-0.6B
    engine: sgl
    args: --host 0.0.0.0 --port 30000
`

describe("the controller's file", () => {
  it('is read with all keys of upstream', () => {
    const config = read(UPSTREAM)
    expect(config.models.map(({name, engine, replicas}) => [name, engine, replicas[0]!.url])).to.deep.equal([
      ['meta-llama/Llama-3.2-1B', 'vllm', 'http://localhost:12346'],
      ['Qwen/Qwen3-0.6B', 'sglang', 'http://127.0.0.1:30000'],
    ])
    expect(config.plan.rules).to.deep.include({
      ...{idleThresholdMs: 100_000, checkIntervalMs: 20_000, sleepsIdle: true, wakesOnRequest: false},
      minSleepMs: 80_000,
    })
    expect([config.routerPort, config.launchDelayMs]).to.deep.equal([8081, 15_000])
    expect(config.kvcachedEnv).to.deep.equal({
      KVCACHED_GPU_UTILIZATION: '0.9',
      PAGE_PREALLOC_ENABLED: 'true',
    })
    const [a, b] = config.instances
    expect(a).to.deep.include({
      ...{name: 'a', venvPath: '../venv', segment: 'VLLM', isLaunched: true},
      args: ['--port=12346', '--max-model-len', '4096', '--note', 'two words'],
      engineEnv: {VLLM_USE_V1: '1', A: 'b=c'},
    })
    expect(b!.name).to.equal('Qwen3-0.6B')
    expect(config.warnings).to.deep.equal([
      'c.yaml:3: router.router_host: means nothing here, as upstream: kvctl serve --host decides',
    ])
  })

  it("has upstream's defaults", () => {
    const {plan, routerPort} = read('instances: [{model: m, engine: vllm, engine_args: --port 1}]')
    expect(plan.rules).to.deep.include({
      ...{idleThresholdMs: 300_000, checkIntervalMs: 60_000, sleepsIdle: false, wakesOnRequest: true},
      minSleepMs: 60_000,
    })
    expect(routerPort).to.equal(null)
  })

  it('makes replicas of instances of one model', () => {
    const {models} = read(
      `
instances:
  - {model: m, engine: vllm, url: "http://a:1/", weight: 2}
  - {model: m, engine: vllm, url: "https://b:2"}
models: {m: {routing: prefix, api_key_env: KEY}}`,
      {KEY: 'k'},
    )
    expect(models).to.have.length(1)
    expect(models[0]).to.deep.include({
      ...{routing: 'prefix', apiKey: 'k'},
      replicas: [
        {url: 'http://a:1', weight: 2},
        {url: 'https://b:2', weight: 1},
      ],
    })
  })

  it('gives an instance without a port no requests, and says so', () => {
    const {models, warnings} = read('instances: [{model: m, engine: vllm}]')
    expect(models).to.deep.equal([])
    expect(warnings).to.deep.equal([
      "c.yaml:1: instances.0: 'm' has neither url nor --port, so it gets no requests",
    ])
  })

  it('knows groups, who stays awake, and what can sleep at all', () => {
    const {plan} = read(`
instances:
  - {model: a, engine: kvctl, url: "http://a:1"}
  - {model: b, engine: openai, url: "http://b:1"}
models: {a: {group: gpu0, keep_awake: true}}
groups: {gpu0: {max_awake: 2}}`)
    expect(plan.models).to.deep.equal([
      {name: 'a', group: 'gpu0', staysAwake: true, canSleep: true},
      {name: 'b', group: null, staysAwake: false, canSleep: false},
    ])
    expect([...plan.groups]).to.deep.equal([['gpu0', 2]])
  })

  it('reads bounds for balancing, from segments that instances name too', () => {
    const {balance} = read(`
instances:
  - {model: a, engine: kvctl, url: "http://a:1", segment: sa}
  - {model: b, engine: kvctl, url: "http://b:1", kvcached_env: [KVCACHED_IPC_NAME=sb]}
balance: {total: 8G, interval_seconds: 1, segments: {sa: {floor: 1G, ceiling: 6G}}}`)
    expect(balance).to.deep.include({totalBytes: 8n << 30n, intervalMs: 1000, stepShare: 0.05})
    expect(balance!.bounds).to.deep.equal([
      {segment: 'sa', url: 'http://a:1', floorBytes: 1n << 30n, ceilingBytes: 6n << 30n},
      {segment: 'sb', url: 'http://b:1', floorBytes: null, ceilingBytes: null},
    ])
  })

  const one = (rest: string): string => `instances:\n  - model: m\n    engine: vllm\n    ${rest}\n`
  const mistakes: [string, string, string][] = [
    ['no instance', 'instances: []', 'c.yaml:1: instances: lists no instance'],
    ['an unknown key', one('enginee: x'), 'c.yaml:4: instances.0.enginee: unrecognized key'],
    ['an unknown engine', 'instances: [{model: m, engine: tgi}]', 'c.yaml:1: instances.0.engine: '],
    ['a variable without =', one('engine_env: [A]'), 'c.yaml:4: instances.0.engine_env.0: takes KEY=VALUE'],
    ['an open quote', one(`args: "--x 'y"`), 'c.yaml:4: instances.0.args: has a quote that is not closed'],
    ['both spellings of arguments', one('args: a\n    engine_args: b'), 'c.yaml:4: instances.0.args: stands'],
    ['half a venv', one('using_venv: true'), 'c.yaml:4: instances.0.using_venv: using_venv and venv_path'],
    [
      'one address twice',
      `${one('url: "http://a:1"')}  - {model: m, engine: vllm, url: "http://a:1"}`,
      "c.yaml:5: instances.1: 'm' has two instances at http://a:1",
    ],
    [
      'two kinds of engine for a model',
      `${one('url: "http://a:1"')}  - {model: m, engine: sglang, url: "http://a:2"}`,
      "c.yaml:5: instances.1.engine: 'm' has instances of another engine",
    ],
    ['a model nobody serves', `${one('args: --port 1')}models: {x: {}}`, 'c.yaml:5: models.x: no instance'],
    [
      'a group that is not there',
      `${one('args: --port 1')}models:\n  m: {group: g}`,
      "c.yaml:6: models.m.group: there is no group 'g'",
    ],
    [
      'a key that is not set',
      `${one('args: --port 1')}models:\n  m: {api_key_env: NONE}`,
      'c.yaml:6: models.m: api_key_env: NONE is not set',
    ],
    [
      'a size that is none',
      `${one('args: --port 1\n    segment: s')}balance: {total: lots, segments: {t: {}}}`,
      'c.yaml:6: balance.total:',
    ],
    [
      'one segment to balance',
      `${one('args: --port 1')}balance: {segments: {t: {}}}`,
      'c.yaml:5: balance.segments:',
    ],
  ]
  for (const [what, text, says] of mistakes) {
    it(`is refused for ${what}, with file and line`, () => {
      let failure: unknown
      try {
        read(text)
      } catch (error) {
        failure = error
      }
      expect(failure).to.be.instanceOf(ConfigurationError).and.include({code: 'CONTROLLER_INVALID'})
      expect((failure as Error).message).to.include(says)
    })
  }
})

describe('words of a line', () => {
  it('are those of a shell, which does nothing else', () => {
    expect(splitWords(`a "b c" 'd "e"' f\\ g --x="1 2" "" $HOME * ; "q\\"r"`)).to.deep.equal([
      ...['a', 'b c', 'd "e"', 'f g', '--x=1 2', '', '$HOME', '*', ';', 'q"r'],
    ])
    expect(splitWords('  ')).to.deep.equal([])
    expect(splitWords('a "b')).to.equal(null)
  })
})
