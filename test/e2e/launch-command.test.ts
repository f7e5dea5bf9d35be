import type {ChildProcess} from 'node:child_process'
import {once} from 'node:events'
import {existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {createInterface} from 'node:readline'
import {expect} from 'chai'
import {endedAfterEach} from '../support/children.js'
import {runCli, startCli} from '../support/cli.js'
import {freePort} from '../support/free-port.js'
import {standInPython} from '../support/stand-in-python.js'
import {temporaryFolder} from '../support/temporary.js'
import {until} from '../support/until.js'

/** Whether a process has not ended; who else should have asked for its status may not have done so yet. */
function runs(pid: number): boolean {
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return false
  }
}

interface Told {
  readonly name: string
  readonly event: string
  readonly pid?: number
  readonly segment?: string | null
  readonly line?: string
  readonly stream?: string
  readonly code?: string
}

describe('kvctl launch', function () {
  this.timeout(120_000)
  const children = endedAfterEach()
  const folder = temporaryFolder()
  const file = (): string => join(folder(), 'controller.yaml')
  const segments = (): string => join(folder(), 'shm')
  let told: Told[]

  const start = (env: NodeJS.ProcessEnv, ...args: string[]): ChildProcess => {
    mkdirSync(segments(), {recursive: true})
    const shared = {KVCTL_SHM_DIR: segments(), KVCTL_TOKEN: '', KVMINI_TOKEN: '', XDG_STATE_HOME: folder()}
    const child = startCli(['launch', '-f', file(), '--json', ...args], {env: {...shared, ...env}})
    children.push(child)
    told = []
    createInterface(child.stdout!).on('line', line => {
      if (line.startsWith('{"time"')) told.push(JSON.parse(line) as Told)
    })
    return child
  }
  const of = (name: string, event: string): Told[] =>
    told.filter(one => one.name === name && one.event === event)
  const seen = async (name: string, event: string, times = 1): Promise<Told> => {
    await until(
      () => of(name, event).length >= times,
      () => `${name} ${event}: ${JSON.stringify(told)}`,
    )
    return of(name, event)[times - 1]!
  }
  const end = async (child: ChildProcess): Promise<number | null> => {
    const closed = once(child, 'close')
    child.kill('SIGTERM')
    return ((await closed) as [number | null])[0]
  }

  it('starts engines and the router, starts a killed one again, and ends them all without leaving a segment', async () => {
    const [a, b, door] = await Promise.all([freePort(), freePort(), freePort()])
    writeFileSync(
      file(),
      `router: {enable_router: true, router_port: ${door}}
instances:
  - {model: org/a, engine: kvctl, args: "--port ${a} --ttft-ms 1 --itl-ms 1 --num-gpu-blocks-override 256"}
  - {model: org/b, engine: kvctl, segment: launch-b, args: "--port ${b} --ttft-ms 1 --itl-ms 1 --num-gpu-blocks-override 256"}
`,
    )
    const child = start({}, '--restarts', '3')
    const [first, second] = await Promise.all([
      seen('a', 'ready'),
      seen('b', 'ready'),
      seen('router', 'ready'),
    ])
    expect(readdirSync(segments()).sort()).to.deep.equal([first.segment!, second.segment!].sort())
    expect([first.segment, second.segment]).to.deep.equal([
      `kvcached_kvctl_${of('a', 'started')[0]!.pid}`,
      'launch-b',
    ])
    const complete = async (model: string): Promise<number> => {
      const body = JSON.stringify({model, prompt: 'Once', max_tokens: 2})
      const headers = {'content-type': 'application/json'}
      const url = `http://127.0.0.1:${door}/v1/completions`
      return (await fetch(url, {method: 'POST', headers, body})).status
    }
    expect(await Promise.all([complete('org/a'), complete('org/b')])).to.deep.equal([200, 200])

    process.kill(of('b', 'started')[0]!.pid!, 'SIGKILL')
    expect(await seen('b', 'ended')).to.include({signal: 'SIGKILL'})
    const again = await seen('b', 'ready', 2)
    expect(again.segment).to.equal('launch-b')
    expect(of('b', 'waiting')).to.have.length(1)
    expect(await complete('org/b')).to.equal(200)

    expect(await end(child)).to.equal(0)
    expect(readdirSync(segments())).to.deep.equal([])
    const ends = told.filter(({event}) => event === 'stopped').map(({name}) => name)
    expect(ends[0]).to.equal('router')
    expect(ends.sort()).to.deep.equal(['a', 'b', 'router'])
    for (const {pid} of told.filter(({event}) => event === 'started'))
      expect(existsSync(`/proc/${pid}`), `pid ${pid}`).to.equal(false)
  })

  it('starts vLLM and SGLang by python3 with upstream’s arguments and environment, and passes on what they say', async () => {
    const starts = standInPython(folder())
    const [a, b] = await Promise.all([freePort(), freePort()])
    writeFileSync(
      file(),
      `kvcached: {kvcached_gpu_utilization: 0.9, kvcached_log_level: INFO}
instances:
  - model: org/a
    engine: vllm
    engine_args: "--port ${a} --chat-template 'two words'"
    engine_env: [CUDA_VISIBLE_DEVICES=1]
    kvcached_env: [KVCACHED_IPC_NAME=seg-a, KVCACHED_LOG_LEVEL=DEBUG]
  - {model: org/b, engine: sglang, args: "--port ${b}"}
`,
    )
    const child = start({PATH: `${folder()}:${process.env['PATH']}`})
    const [first, second] = await Promise.all([seen('a', 'ready'), seen('b', 'ready')])
    expect([first.segment, second.segment]).to.deep.equal([
      'seg-a',
      `kvcached_SGLang_${of('b', 'started')[0]!.pid}`,
    ])
    const [vllm, sglang] = starts().sort(({argv}) => (argv[1]!.startsWith('vllm') ? -1 : 1))
    expect(vllm!.argv).to.deep.equal([
      ...['-m', 'vllm.entrypoints.openai.api_server', '--model', 'org/a'],
      ...['--port', String(a), '--chat-template', 'two words'],
    ])
    expect(vllm!.env).to.include({
      ...{ENABLE_KVCACHED: 'true', KVCACHED_AUTOPATCH: '1', KVCACHED_GPU_UTILIZATION: '0.9'},
      ...{KVCACHED_LOG_LEVEL: 'DEBUG', KVCACHED_IPC_NAME: 'seg-a', CUDA_VISIBLE_DEVICES: '1'},
    })
    expect(sglang!.argv).to.deep.equal([
      ...['-m', 'sglang.launch_server', '--model-path', 'org/b', '--port', String(b)],
    ])
    expect(sglang!.env).to.include({
      ENABLE_KVCACHED: 'true',
      KVCACHED_AUTOPATCH: '1',
      KVCACHED_LOG_LEVEL: 'INFO',
    })
    expect(sglang!.env).not.to.have.any.keys('KVCACHED_IPC_NAME', 'CUDA_VISIBLE_DEVICES')
    const lines = of('a', 'log').map(({stream, line}) => [stream, line])
    expect(lines).to.deep.include.members([
      ['stdout', 'loading org/a'],
      ['stderr', 'progress 50%'],
      ['stderr', 'progress 100%'],
    ])
    expect(await end(child)).to.equal(0)
    expect(of('a', 'log').at(-1)!.line).to.equal('bye')
    expect(readdirSync(segments())).to.deep.equal([])
  })

  it('ends its engines also when it is killed, and they remove their segments', async () => {
    standInPython(folder())
    const [a, b] = await Promise.all([freePort(), freePort()])
    writeFileSync(
      file(),
      `instances:
  - {model: org/a, engine: vllm, args: "--port ${a}"}
  - {model: org/b, engine: sglang, args: "--port ${b}"}
`,
    )
    const child = start({PATH: `${folder()}:${process.env['PATH']}`})
    await Promise.all([seen('a', 'ready'), seen('b', 'ready')])
    expect(readdirSync(segments())).to.have.length(2)
    const killed = once(child, 'close')
    child.kill('SIGKILL')
    await killed
    for (const name of ['a', 'b']) {
      const {pid} = of(name, 'started')[0]!
      await until(
        () => !runs(pid!),
        () => `pid ${pid} of '${name}' runs`,
      )
    }
    expect(readdirSync(segments())).to.deep.equal([])
  })

  it('tells of an engine that runs without kvcached, stops it, and leaves with 4', async () => {
    standInPython(folder())
    const port = await freePort()
    writeFileSync(file(), `instances: [{model: org/a, engine: vllm, args: "--port ${port}"}]\n`)
    const child = start(
      {PATH: `${folder()}:${process.env['PATH']}`, STAND_IN_BARE: '1'},
      '--segment-timeout',
      '0.3',
    )
    const [code] = (await once(child, 'close')) as [number | null]
    expect(code).to.equal(4)
    expect(of('a', 'failed')[0]).to.include({code: 'SEGMENT_MISSING'})
    expect(of('a', 'ready')).to.deep.equal([])
    expect(existsSync(`/proc/${of('a', 'started')[0]!.pid}`)).to.equal(false)
  })

  it('shows lines behind names, and failures with what to do', async () => {
    standInPython(folder())
    mkdirSync(segments())
    const port = await freePort()
    writeFileSync(file(), `instances: [{name: one, model: org/a, engine: vllm, args: "--port ${port}"}]\n`)
    const env = {PATH: `${folder()}:${process.env['PATH']}`, STAND_IN_BARE: '1', KVCTL_SHM_DIR: segments()}
    const {code, stdout, stderr} = await runCli(['launch', '-f', file(), '--segment-timeout', '0.1'], {env})
    expect(code).to.equal(4)
    expect(stdout.split('\n').sort()).to.include.members(['one | loading org/a', 'one | progress 100%'])
    expect(stderr).to.match(/'one' is started, pid \d+\n/)
    expect(stderr).to.contain(
      "'one' failed: 'one' answers but shows no kvcached segment after 0.1 s\n  Try: it runs without",
    )
    expect(stderr.trimEnd().split('\n').at(-1)).to.equal("Error: 'one' failed; see above")
  })

  it('says what is not there to be started', async () => {
    const port = await freePort()
    const venv = join(folder(), 'no-venv')
    writeFileSync(
      file(),
      `instances: [{model: org/a, engine: vllm, args: "--port ${port}", using_venv: true, venv_path: "${venv}"}]\n`,
    )
    const {code, stderr} = await runCli(['launch', '-f', file()])
    expect(code).to.equal(4)
    expect(stderr).to.contain(`'a' failed: ${venv}/bin/python3 could not be started`)
  })

  it('prints its commands with --dry-run, and starts nothing', async () => {
    writeFileSync(
      file(),
      `kvcached: {kvcached_gpu_utilization: 0.9}
instances:
  - {model: org/a, engine: vllm, args: "--port 8001 --api-key sk-1"}
  - {model: org/b, engine: vllm, url: "http://10.0.0.7:8000"}
`,
    )
    const text = await runCli(['launch', '-f', file(), '--dry-run'])
    expect([text.code, text.stdout]).to.deep.equal([
      0,
      "ENABLE_KVCACHED=true KVCACHED_AUTOPATCH=1 KVCACHED_GPU_UTILIZATION=0.9 python3 -m vllm.entrypoints.openai.api_server --model org/a --port 8001 --api-key '[removed]'\n",
    ])
    expect(text.stderr).to.equal("'b' is not started: it runs already, at http://10.0.0.7:8000\n")
    const {commands} = JSON.parse((await runCli(['launch', '-f', file(), '--dry-run', '--json'])).stdout) as {
      commands: object[]
    }
    expect(commands).to.have.length(1)
    expect(commands[0]).to.include({
      name: 'a',
      engine: 'vllm',
      url: 'http://localhost:8001',
      expects_segment: true,
    })
  })
})
