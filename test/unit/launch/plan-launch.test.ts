import {expect} from 'chai'
import {parseYaml} from '../../../src/lib/config/index.js'
import {launchPlanJson, planLaunch, shellLine, type LaunchPlan} from '../../../src/lib/launch/index.js'
import {controllerConfigOf} from '../../../src/lib/router/index.js'

const plan = (text: string): LaunchPlan =>
  planLaunch(controllerConfigOf(parseYaml(text, 'c.yaml'), {}), {
    ...{path: '/usr/bin', home: '/home/me'},
    folder: '/work',
    kvctl: ['/usr/bin/node', '/opt/kvctl/bin/run.js'],
  })

describe('what a controller’s file starts', () => {
  it('is upstream’s command for vLLM and SGLang, with kvcached switched on', () => {
    const {commands, delayMs} = plan(`
launch_delay_seconds: 15
instances:
  - {model: org/a, engine: vllm, engine_args: "--port 8001 --max-model-len 4096"}
  - {model: org/b, engine: sgl, args: ["--port=30000", "--mem-fraction-static 0.5"]}
`)
    expect(delayMs).to.equal(15_000)
    expect(commands).to.deep.equal([
      {
        ...{name: 'a', engine: 'vllm', model: 'org/a', file: 'python3', url: 'http://localhost:8001'},
        args: [
          ...['-m', 'vllm.entrypoints.openai.api_server', '--model', 'org/a'],
          ...['--port', '8001', '--max-model-len', '4096'],
        ],
        env: {ENABLE_KVCACHED: 'true', KVCACHED_AUTOPATCH: '1'},
        ...{expectsSegment: true, segment: null},
      },
      {
        ...{name: 'b', engine: 'sglang', model: 'org/b', file: 'python3', url: 'http://localhost:30000'},
        args: [
          ...['-m', 'sglang.launch_server', '--model-path', 'org/b'],
          ...['--port=30000', '--mem-fraction-static', '0.5'],
        ],
        env: {ENABLE_KVCACHED: 'true', KVCACHED_AUTOPATCH: '1'},
        ...{expectsSegment: true, segment: null},
      },
    ])
  })

  it('has the variables of all below those of the engine, and these below those of kvcached', () => {
    const {commands} = plan(`
kvcached: {kvcached_gpu_utilization: 0.9, kvcached_page_size_mb: 2, kvcached_log_level: INFO}
instances:
  - model: org/a
    engine: vllm
    args: --port 8001
    engine_env: ["KVCACHED_PAGE_SIZE_MB=4", "KVCACHED_LOG_LEVEL=WARNING", "CUDA_VISIBLE_DEVICES=1"]
    kvcached_env: ["KVCACHED_LOG_LEVEL=DEBUG", "KVCACHED_IPC_NAME=my model"]
`)
    expect(commands[0]!.env).to.deep.equal({
      ...{ENABLE_KVCACHED: 'true', KVCACHED_AUTOPATCH: '1', KVCACHED_GPU_UTILIZATION: '0.9'},
      ...{KVCACHED_PAGE_SIZE_MB: '4', KVCACHED_LOG_LEVEL: 'DEBUG', CUDA_VISIBLE_DEVICES: '1'},
      KVCACHED_IPC_NAME: 'my model',
    })
    expect(commands[0]!.segment).to.equal('my-model')
  })

  it('takes python3 and PATH of a virtual environment', () => {
    const {commands} = plan(`
instances:
  - {model: a, engine: vllm, args: --port 1, using_venv: true, venv_path: ~/vllm}
  - {model: b, engine: vllm, args: --port 2, using_venv: true, venv_path: ../venv}
`)
    expect(commands[0]).to.deep.include({file: '/home/me/vllm/bin/python3'})
    expect(commands[0]!.env).to.include({VIRTUAL_ENV: '/home/me/vllm', PATH: '/home/me/vllm/bin:/usr/bin'})
    expect(commands[1]).to.deep.include({file: '/venv/bin/python3'})
  })

  it('is kvctl’s own engine under the name of the file, which plays a model that it knows', () => {
    const {commands} = plan(`
instances:
  - {model: Qwen/Qwen3-8B, engine: kvctl, args: --port 8001, segment: seg}
  - {model: mine, engine: kvctl, args: --port 8002 --no-segment}
  - {model: mine2, engine: kvctl, args: --port 8003 --served-model-name x --ipc-name other}
`)
    const start = ['/opt/kvctl/bin/run.js', 'engine']
    expect(commands.map(({args}) => args)).to.deep.equal([
      [...start, '--model', 'Qwen/Qwen3-8B', '--served-model-name', 'Qwen/Qwen3-8B', '--port', '8001'],
      [...start, '--served-model-name', 'mine', '--port', '8002', '--no-segment'],
      [...start, '--port', '8003', '--served-model-name', 'x', '--ipc-name', 'other'],
    ])
    expect(commands.map(({expectsSegment, segment}) => [expectsSegment, segment])).to.deep.equal([
      [true, 'seg'],
      [false, null],
      [true, 'other'],
    ])
    expect(commands[0]!.env).to.deep.equal({KVCACHED_IPC_NAME: 'seg'})
  })

  it('has the router last, where the file switches it on', () => {
    const {commands} = plan(`
router: {enable_router: true, router_port: 8090}
instances: [{model: a, engine: vllm, args: --port 8001}]
`)
    expect(commands[1]).to.deep.include({
      ...{name: 'router', engine: 'router', file: '/usr/bin/node', url: 'http://127.0.0.1:8090'},
      args: [
        ...['/opt/kvctl/bin/run.js', 'serve', '--config', '/work/c.yaml'],
        ...['--api', 'router,system', '--port', '8090'],
      ],
      expectsSegment: false,
    })
  })

  it('leaves out what runs already, has no port, or cannot be started, and gives every one a name', () => {
    const {commands, skipped} = plan(`
instances:
  - {model: org/a, engine: vllm, args: --port 8001}
  - {model: org/a, engine: vllm, args: --port 8002}
  - {model: b, engine: vllm, url: "http://10.0.0.7:8000"}
  - {model: c, engine: vllm, args: --max-model-len 1}
  - {model: d, engine: openai, args: --port 8003}
`)
    expect(commands.map(({name}) => name)).to.deep.equal(['a', 'a-2'])
    expect(skipped).to.deep.equal([
      {name: 'b', because: 'it runs already, at http://10.0.0.7:8000'},
      {name: 'c', because: 'its arguments have no --port'},
      {name: 'd', because: "kvctl knows no command that starts an 'openai' engine"},
    ])
  })

  for (const [what, text, message] of [
    ['nothing', '{model: a, engine: vllm, url: "http://h:1"}', 'c.yaml starts no engine'],
    [
      'two on one port',
      '{model: a, engine: vllm, args: --port 1}, {model: b, engine: vllm, args: --port 1}',
      "c.yaml: 'a' and 'b' would share the port 1",
    ],
    [
      'two with one segment',
      '{model: a, engine: vllm, args: --port 1, segment: x y}, {model: b, engine: vllm, args: --port 2, kvcached_env: [KVCACHED_IPC_NAME=x-y]}',
      "c.yaml: 'a' and 'b' would share the segment x-y",
    ],
  ] as const) {
    it(`refuses to start ${what}`, () => {
      expect(() => plan(`instances: [${text}]`)).to.throw(message)
    })
  }

  it('warns where a model is to sleep and its engine is not started for it', () => {
    const {warnings} = plan(`
groups: {g: {max_awake: 1}}
models: {a: {group: g}, b: {group: g}, c: {group: g}, d: {group: g, keep_awake: true}}
instances:
  - {model: a, engine: vllm, args: --port 1}
  - {model: b, engine: sglang, args: --port 2}
  - {model: c, engine: vllm, args: --port 3 --enable-sleep-mode, engine_env: [VLLM_SERVER_DEV_MODE=1]}
  - {model: d, engine: vllm, args: --port 4}
  - {model: e, engine: vllm, args: --port 5}
`)
    expect(warnings).to.deep.equal([
      "'a' is to sleep, which takes --enable-sleep-mode among its arguments and VLLM_SERVER_DEV_MODE=1 in engine_env",
      "'b' is to sleep, which takes --enable-memory-saver among its arguments",
    ])
  })

  it('expects no segment where kvcached is switched off', () => {
    const off = 'instances: [{model: a, engine: vllm, args: --port 1, kvcached_env: [ENABLE_KVCACHED=false]}]'
    expect(plan(off).commands[0]!.expectsSegment).to.equal(false)
  })
})

describe('a command for people', () => {
  it('is a line that a shell takes, without secrets', () => {
    const {commands} = plan(`
instances:
  - model: a
    engine: vllm
    args: "--port 1 --api-key sk-1 --note 'it''s two words' --hf-token=hf_1"
    engine_env: ["HF_TOKEN=hf_2", "EMPTY="]
`)
    expect(shellLine(commands[0]!)).to.equal(
      "ENABLE_KVCACHED=true KVCACHED_AUTOPATCH=1 HF_TOKEN='[removed]' EMPTY='' python3 -m vllm.entrypoints.openai.api_server" +
        " --model a --port 1 --api-key '[removed]' --note 'its two words' '--hf-token=[removed]'",
    )
    const json = JSON.stringify(launchPlanJson(plan('instances: [{model: a, engine: vllm, args: --port 1}]')))
    expect(JSON.parse(json)).to.deep.equal({
      delay_seconds: 0,
      commands: [
        {
          ...{name: 'a', engine: 'vllm', model: 'a', url: 'http://localhost:1'},
          command: ['python3', '-m', 'vllm.entrypoints.openai.api_server', '--model', 'a', '--port', '1'],
          env: {ENABLE_KVCACHED: 'true', KVCACHED_AUTOPATCH: '1'},
          ...{expects_segment: true, segment: null},
        },
      ],
      ...{skipped: [], warnings: []},
    })
  })
})
