import type {ChildProcess} from 'node:child_process'
import {once} from 'node:events'
import {writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {createInterface} from 'node:readline'
import {expect} from 'chai'
import {runCli, startCli} from '../support/cli.js'
import {startEngine} from '../support/engine-process.js'
import {segmentFolder} from '../support/segments.js'
import {startServe, startServeWith, type ServeProcess} from '../support/serve-process.js'
import {standInEngine, type StandInEngine} from '../support/stand-in-engine.js'
import {temporaryFolder} from '../support/temporary.js'
import {until} from '../support/until.js'

const MIB = 2 ** 20

describe('the controller from the command line', function () {
  this.timeout(60_000)
  const folder = temporaryFolder()
  let engine: StandInEngine
  let serve: ServeProcess

  const run = async (...args: string[]): Promise<{code: number; stdout: string; stderr: string}> =>
    runCli(args, {env: {KVCTL_URL: serve.url, KVCTL_TOKEN: ''}})

  beforeEach(async () => {
    engine = await standInEngine('vllm')
    engine.on('/v1/completions', (_, response) => void response.end('{}'))
    const path = join(folder(), 'controller.yaml')
    writeFileSync(
      path,
      `instances: [{model: org/m, engine: vllm, url: "${engine.url}"}]\nsleep_manager: {min_sleep_duration: 0}\n`,
    )
    serve = await startServe('--config', path, '--api', 'router')
  })
  afterEach(async () => {
    serve.child.kill('SIGTERM')
    await once(serve.child, 'close')
    await engine.close()
  })

  it('KVCTL_URL: the controller that is asked', async () => {
    const {code, stdout} = await run('models')
    expect([code, stdout]).to.deep.equal([0, 'Model  Engines  Phase\norg/m        1  awake\n'])
    expect(
      (await runCli(['models', '--url', serve.url], {env: {KVCTL_URL: 'http://127.0.0.1:1'}})).code,
    ).to.equal(0)
  })

  it('sleeps and wakes a model, shows it meanwhile, and leaves with 4 and the reason when it cannot', async () => {
    expect((await run('sleep', '--status')).stdout).to.equal('No model sleeps.\n')
    const slept = await run('sleep', 'org/m')
    expect([slept.code, slept.stdout]).to.deep.equal([0, 'Model org/m sleep request successful\n'])
    expect(engine.orders).to.deep.equal(['POST /sleep?level=1 {"level":"1"}'])
    const status = await run('sleep', '--status', '--json')
    expect(JSON.parse(status.stdout)).to.have.nested.property('sleeping_models.org/m.manual_sleep', true)
    const again = await run('sleep', 'org/m')
    expect([again.code, again.stderr]).to.deep.equal([
      4,
      'Error: Model org/m sleep request failed: asleep already\n',
    ])
    expect((await run('wake', 'org/m')).stdout).to.equal('Model org/m wake request successful\n')
    const unknown = await run('wake', 'none', '--json')
    expect(unknown.code).to.equal(4)
    expect(JSON.parse(unknown.stdout)).to.have.nested.property('error.message', 'Model none not found')
  })

  it('shows traffic, idle and active models, and candidates', async () => {
    expect((await run('traffic')).stdout).to.equal('No model has had a request yet.\n')
    const missing = await run('traffic', 'org/m')
    expect([missing.code, missing.stderr.split('\n')[0]]).to.deep.equal([
      4,
      'Error: No traffic data found for model org/m',
    ])
    const body = JSON.stringify({model: 'org/m', prompt: 'x'})
    await fetch(`${serve.url}/v1/completions`, {method: 'POST', body})
    const {stdout} = await run('traffic', 'org/m', '--window', '10s', '--json')
    expect(JSON.parse(stdout)).to.deep.include({window_seconds: 10})
    expect(JSON.parse(stdout)).to.have.nested.property('model_stats.request_rate', 0.1)
    expect((await run('traffic')).stdout).to.match(/^Model\s+Requests .*\norg\/m\s+1\s+0 /)
    expect((await run('models', '--idle', '--threshold', '1h')).stdout).to.equal('No model is idle.\n')
    expect((await run('models', '--active', '--window', '10s')).stdout).to.match(/org\/m\s+1\s+0\.\d0\/s/)
    expect((await run('sleep', '--candidates')).stdout).to.equal('No model could sleep.\n')
  })
})

describe('kvctl balance', function () {
  this.timeout(120_000)
  const folder = temporaryFolder()
  const started: ChildProcess[] = []
  afterEach(async () => {
    for (const child of started.splice(0)) {
      child.kill('SIGTERM')
      if (child.exitCode === null) await once(child, 'close')
    }
  })

  interface Listed {
    readonly ipc: string
    readonly limit_bytes: number
  }

  it('moves limits after demand, with the sum and the floors kept at every sample, as its dry run said', async () => {
    const names = ['a', 'b'].map(name => `kvctl-balance-${process.pid}-${name}`)
    const engines = await Promise.all(
      names.map(async name => {
        const one = await startEngine(
          ...['--ipc-name', name, '--served-model-name', name, '--ttft-ms', '1', '--itl-ms', '30'],
          ...['--num-gpu-blocks-override', '4096'],
        )
        started.push(one.child)
        return one
      }),
    )
    const limits = async (): Promise<Record<string, number>> => {
      const listed = JSON.parse((await runCli(['list', '--json', ...names])).stdout) as Listed[]
      return Object.fromEntries(listed.map(({ipc, limit_bytes: bytes}) => [ipc, bytes]))
    }
    const startup = (await limits())[names[0]!]!
    // Half of what both could use: a floor of 16 MiB each, the rest by demand.
    const total = Math.floor(startup / (2 * MIB)) * 2 * MIB
    const path = join(folder(), 'controller.yaml')
    const bounds = names.map(name => `    ${name}: {floor: 16M}`)
    writeFileSync(
      path,
      `instances:
${names.map((name, index) => `  - {model: ${name}, engine: kvctl, url: "${engines[index]!.url}", segment: ${name}}`).join('\n')}
balance:
  total: ${total}
  interval_seconds: 0.5
  segments:
${bounds.join('\n')}
`,
    )
    for (const name of names) await runCli(['limit', name, String(total / 2)])
    const gone = new AbortController()
    const load = (index: number): void => {
      for (let request = 0; request < 4; request++) {
        void fetch(`${engines[index]!.url}/v1/completions`, {
          method: 'POST',
          headers: {'content-type': 'application/json'},
          body: JSON.stringify({
            ...{model: names[index], prompt: `${'word '.repeat(1500)}${request}`, max_tokens: 4000},
            ...{ignore_eos: true, stream: true},
          }),
          signal: index === 0 ? gone.signal : AbortSignal.timeout(60_000),
        })
          .then(answer => answer.text())
          .catch(() => {})
      }
    }
    load(0)
    const dry = async (): Promise<{moves: {segment: string}[]}> => {
      const {stdout} = await runCli(['balance', '-f', path, '--dry-run', '--json'])
      return JSON.parse(stdout) as {moves: {segment: string}[]}
    }
    let said = await dry()
    while (said.moves.length < 2) said = await dry()
    expect(said.moves.map(({segment}) => segment)).to.deep.equal([names[1], names[0]])
    const balance = startCli(['balance', '-f', path, '--json'])
    started.push(balance)
    const moves: {segment: string}[] = []
    createInterface(balance.stdout!).on('line', line => moves.push(JSON.parse(line) as (typeof moves)[0]))
    const settle = async (winner: number): Promise<void> => {
      const deadline = Date.now() + 60_000
      for (;;) {
        const now = await limits()
        expect(Object.values(now).reduce((sum, one) => sum + one, 0)).to.be.at.most(total)
        for (const limit of Object.values(now)) expect(limit).to.be.at.least(16 * MIB)
        if (now[names[winner]!]! > 0.75 * total && now[names[1 - winner]!]! < 0.25 * total) return
        if (Date.now() > deadline) throw new Error(`not balanced: ${JSON.stringify(now)}`)
      }
    }
    await settle(0)
    // The same moves in the same order: the loser gives first. (To the byte they are compared on a virtual clock.)
    await until(
      () => moves.length >= 2,
      () => JSON.stringify(moves),
    )
    expect(moves[0]!.segment).to.equal(said.moves[0]!.segment)
    expect(new Set(moves.map(({segment}) => segment))).to.deep.equal(new Set(names))
    gone.abort()
    load(1)
    await settle(1)
  })
})

describe('kvctl serve --config, with a balance block', function () {
  this.timeout(60_000)
  const folder = temporaryFolder()

  it('moves limits by the block that was read last, and none when there is none any more', async () => {
    const segments = segmentFolder()
    const path = join(folder(), 'controller.yaml')
    const write = (rest: string): void =>
      writeFileSync(
        path,
        `instances:
  - {model: a, engine: vllm, url: "http://127.0.0.1:1", segment: a}
  - {model: b, engine: openai, url: "http://127.0.0.1:1", segment: b}
${rest}
`,
      )
    const limitMib = async (name: string): Promise<number> =>
      Number((await segments.store.read(name)).record.limitBytes) / MIB
    const becomes = async (name: string, wantedMib: number): Promise<void> => {
      let now = 0
      await until(
        async () => (now = await limitMib(name)) === wantedMib,
        () => `${name} has ${now} MiB, not ${wantedMib}`,
      )
    }
    const names = ['a', 'b']
    for (const name of names) segments.put(name, BigInt(512 * MIB), name === 'a' ? BigInt(100 * MIB) : 0n)
    write('')
    const env = {KVCTL_SHM_DIR: segments.directory, XDG_STATE_HOME: segments.stateFolder}
    const serve = await startServeWith(env, '--config', path, '--api', 'router')
    try {
      expect(await Promise.all(names.map(limitMib))).to.deep.equal([512, 512])
      write('balance: {total: 512M, interval_seconds: 0.1, segments: {b: {floor: 64M}}}')
      await Promise.all([becomes('a', 448), becomes('b', 64)])
      write('balance: {total: 512M, interval_seconds: 0.1, segments: {b: {floor: 200M}}}')
      await Promise.all([becomes('a', 312), becomes('b', 200)])
      write('')
      await until(
        () => (serve.log().match(/read .* again/g) ?? []).length >= 3,
        () => serve.log(),
      )
      await segments.store.writeLimit('b', BigInt(100 * MIB))
      serve.child.kill('SIGTERM')
      await once(serve.child, 'close')
      expect(await limitMib('b')).to.equal(100)
    } finally {
      serve.child.kill('SIGKILL')
      segments.remove()
    }
  })
})
