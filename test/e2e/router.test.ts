import type {ChildProcess} from 'node:child_process'
import {once} from 'node:events'
import {writeFileSync} from 'node:fs'
import {createServer} from 'node:https'
import type {AddressInfo} from 'node:net'
import {join} from 'node:path'
import {expect} from 'chai'
import OpenAI from 'openai'
import {startEngine} from '../support/engine-process.js'
import {describeWith} from '../support/requires.js'
import {selfSigned} from '../support/self-signed.js'
import {startServe, startServeWith, type ServeProcess} from '../support/serve-process.js'
import {temporaryFolder} from '../support/temporary.js'

type Engine = Awaited<ReturnType<typeof startEngine>>

const SMALL_ENGINE = ['--no-segment', '--ttft-ms', '1', '--num-gpu-blocks-override', '512']
const MINUTE_MS = 60_000

async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + MINUTE_MS
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`not within a minute: ${what}`)
    await new Promise(resolve => setTimeout(resolve, 20))
  }
}

describe('kvctl serve --config', function () {
  this.timeout(2 * MINUTE_MS)
  const folder = temporaryFolder()
  const started: ChildProcess[] = []
  let serve: ServeProcess | null = null

  const engine = async (model: string, itlMs: number, ...args: string[]): Promise<Engine> => {
    const names = ['--served-model-name', model, '--itl-ms', String(itlMs)]
    const one = await startEngine(...SMALL_ENGINE, ...names, ...args)
    started.push(one.child)
    return one
  }
  const configPath = (): string => join(folder(), 'controller.yaml')
  const write = (engines: Readonly<Record<string, string | readonly string[]>>, rest = ''): void => {
    const instances = Object.entries(engines).flatMap(([model, urls]) =>
      [urls].flat().map(url => `  - {model: ${model}, engine: kvctl, url: "${url}"}`),
    )
    writeFileSync(configPath(), `instances:\n${instances.join('\n')}\n${rest}\n`)
  }
  const open = async (...args: string[]): Promise<void> => {
    serve = await startServe('--config', configPath(), ...args)
    started.push(serve.child)
  }
  const complete = (model: string, more: object = {}, signal?: AbortSignal): Promise<Response> =>
    fetch(`${serve!.url}/v1/completions`, {
      method: 'POST',
      headers: {'content-type': 'application/json'},
      body: JSON.stringify({model, prompt: 'Once upon a time', max_tokens: 2, ...more}),
      ...(signal && {signal}),
    })
  const metric = async (line: string): Promise<number> => {
    const page = await (await fetch(`${serve!.url}/metrics`)).text()
    const found = page.split('\n').find(one => one.startsWith(`${line} `))
    return found === undefined ? 0 : Number(found.slice(line.length))
  }
  const phases = async (): Promise<Record<string, string>> =>
    ((await (await fetch(`${serve!.url}/sleep/status`)).json()) as {phases: Record<string, string>}).phases

  afterEach(async () => {
    const [ending, log] = [serve?.child, serve?.log]
    serve = null
    if (ending?.exitCode === null) {
      ending.kill('SIGTERM')
      await once(ending, 'close')
    }
    for (const child of started.splice(0)) child.kill('SIGKILL')
    expect(ending?.exitCode, log?.()).to.equal(0)
  })

  it("serves OpenAI's own client, whole and streamed, as the engine does", async () => {
    const [a, b] = await Promise.all([engine('a', 1, '--api-key', 'secret'), engine('b', 1)])
    write({a: a.url, b: b.url})
    await open()
    const client = new OpenAI({baseURL: `${serve!.url}/v1`, apiKey: 'secret', maxRetries: 0})
    const models = await client.models.list()
    expect(models.data.map(({id}) => id)).to.deep.equal(['a', 'b'])
    const body = {
      model: 'a',
      messages: [{role: 'user' as const, content: 'Hello'}],
      max_completion_tokens: 12,
    }
    const whole = await client.chat.completions.create(body)
    const stream = client.chat.completions.stream(body)
    const final = await stream.finalChatCompletion()
    expect(final.choices[0]!.message.content).to.equal(whole.choices[0]!.message.content)
    const stranger = new OpenAI({baseURL: `${serve!.url}/v1`, apiKey: 'wrong', maxRetries: 0})
    const failure = await stranger.chat.completions.create(body).catch((error: unknown) => error)
    expect(failure).to.be.instanceOf(OpenAI.AuthenticationError)
    const unknown = await client.chat.completions
      .create({...body, model: 'x'})
      .catch((error: unknown) => error)
    expect(unknown).to.be.instanceOf(OpenAI.NotFoundError)
  })

  it('answers 1,000 requests in bursts over three engines in a budget of two, with one wake a burst', async () => {
    const names = ['a', 'b', 'c']
    const engines = await Promise.all(names.map(name => engine(name, 1)))
    write(
      Object.fromEntries(names.map((name, index) => [name, engines[index]!.url])),
      `models: {a: {group: gpu0}, b: {group: gpu0}, c: {group: gpu0}}
groups: {gpu0: {max_awake: 2}}
router: {wait_timeout_seconds: 60}
sleep_manager: {min_sleep_duration: 0, min_awake_duration: 0.05, check_interval_seconds: 0.5}`,
    )
    await open()
    await until('one sleeps', async () => Object.values(await phases()).includes('asleep'))
    const wakes = async (): Promise<number> => {
      const each = names.map(name =>
        metric(
          `kvctl_router_engine_calls_total{model="${name}",call="wake",because="wanted",outcome="done"}`,
        ),
      )
      return (await Promise.all(each)).reduce((sum, one) => sum + one, 0)
    }
    let watched = 0
    let isOver = false
    const watch = (async () => {
      while (!isOver) {
        const asleep = Object.values(await phases()).filter(phase => phase === 'asleep').length
        expect(asleep).to.be.at.least(1)
        watched++
        await new Promise(resolve => setTimeout(resolve, 25))
      }
    })()
    const burst = async (model: string, size: number): Promise<void> => {
      const answers = await Promise.all(Array.from({length: size}, () => complete(model)))
      for (const answer of answers) {
        expect(answer.status).to.equal(200)
        const {choices} = (await answer.json()) as {choices: {finish_reason: string}[]}
        // A model put to sleep with requests in flight would have aborted them.
        expect(choices[0]!.finish_reason).to.equal('length')
      }
    }
    for (let round = 0; round < 20; round++) {
      const model = names[round % 3]!
      const [before, phase] = [await wakes(), (await phases())[model]]
      await burst(model, 35)
      expect((await wakes()) - before, `wakes of burst ${round}`).to.equal(phase === 'awake' ? 0 : 1)
    }
    // All at once: each waits for its turn and gets it.
    await Promise.all(names.flatMap(name => [burst(name, 50), burst(name, 50)]))
    isOver = true
    await watch
    expect(watched).to.be.above(5)
    const {traffic_stats: stats} = (await (await fetch(`${serve!.url}/traffic/stats?window=600`)).json()) as {
      traffic_stats: Record<string, {successful_requests: number; failed_requests: number}>
    }
    expect(Object.values(stats).reduce((sum, one) => sum + one.successful_requests, 0)).to.equal(1000)
    expect(Object.values(stats).map(({failed_requests: failed}) => failed)).to.deep.equal([0, 0, 0])
  })

  it('lets an idle model sleep by itself, shows it at each step, and wakes it for a request', async () => {
    const {url} = await engine('a', 1)
    write(
      {a: url},
      'sleep_manager: {auto_sleep_enabled: true, idle_threshold_seconds: 0.3, check_interval_seconds: 0.1, min_sleep_duration: 0}',
    )
    await open()
    expect((await complete('a')).status).to.equal(200)
    await until('it sleeps', async () => (await phases())['a'] === 'asleep')
    expect(await (await fetch(`${url}/is_sleeping`)).json()).to.deep.equal({is_sleeping: true})
    const status = (await (await fetch(`${serve!.url}/sleep/status`)).json()) as {
      sleeping_models: Record<string, {manual_sleep: boolean}>
    }
    expect(status.sleeping_models['a']).to.include({manual_sleep: false})
    expect((await complete('a')).status).to.equal(200)
    // What the engine says counts: somebody else puts it to sleep.
    await until('it sleeps again', async () => (await phases())['a'] === 'asleep')
    await fetch(`${url}/wake_up`, {method: 'POST'})
    await until('the router finds out', async () => {
      return (await metric('kvctl_router_phase{model="a",phase="awake"}')) === 1
    })
  })

  it('goes on when an engine is killed under load: nothing unstarted is lost, streams end with an error, it recovers', async () => {
    const [one, two] = await Promise.all([engine('m', 20), engine('m', 20)])
    write({m: [one.url, two.url]}, 'router: {retry_seconds: 30, health_interval_seconds: 0.2}')
    await open()
    const stream = async (): Promise<string> => {
      const answer = await complete('m', {stream: true, max_tokens: 60, ignore_eos: true})
      expect(answer.status).to.equal(200)
      return answer.text()
    }
    const streams = Array.from({length: 16}, stream)
    const running = async (): Promise<number> =>
      metric(`kvctl_router_replica_in_flight{model="m",replica="${one.url}"}`)
    await until('both are busy', async () => (await running()) >= 6)
    await new Promise(resolve => setTimeout(resolve, 200))
    one.child.kill('SIGKILL')
    const later = Array.from({length: 16}, () => complete('m'))
    for (const answer of await Promise.all(later)) expect(answer.status).to.equal(200)
    const texts = await Promise.all(streams)
    const [whole, broken] = [
      texts.filter(text => text.endsWith('data: [DONE]\n\n')),
      texts.filter(text => !text.includes('[DONE]')),
    ]
    expect(whole.length + broken.length).to.equal(16)
    expect(broken.length).to.be.within(1, 15)
    for (const text of broken) {
      const last = text.trimEnd().split('\n\n').at(-1)!
      expect(JSON.parse(last.replace('data: ', ''))).to.have.nested.property('error.code', 502)
    }
    const back = await engine('m', 20, '--port', new URL(one.url).port)
    expect(back.url).to.equal(one.url)
    await until('it is asked again', async () => {
      await Promise.all(Array.from({length: 4}, () => complete('m')))
      const seen = await (await fetch(`${back.url}/metrics`)).text()
      return /vllm:request_success_total\{[^}]*\} [1-9]/.test(seen)
    })
  })

  it('reads its file again when it changes and on SIGHUP, and drops no stream', async () => {
    const [a, b] = await Promise.all([engine('a', 10), engine('b', 1)])
    write({a: a.url})
    await open()
    const streams = Array.from({length: 8}, async () =>
      (await complete('a', {stream: true, max_tokens: 150, ignore_eos: true})).text(),
    )
    expect((await complete('b')).status).to.equal(404)
    write({b: b.url})
    await until('b is served', async () => (await complete('b')).status === 200)
    expect((await complete('a')).status).to.equal(404)
    writeFileSync(configPath(), 'instances: []\n')
    await until('the mistake is told', () => serve!.log().includes('lists no instance'))
    expect((await complete('b')).status).to.equal(200)
    write({a: a.url, b: b.url})
    serve!.child.kill('SIGHUP')
    await until('a is served again', async () => (await complete('a')).status === 200)
    for (const text of await Promise.all(streams)) expect(text.endsWith('data: [DONE]\n\n')).to.equal(true)
  })

  it('ends started streams within the drain time, and refuses new requests meanwhile', async () => {
    const {url} = await engine('a', 10)
    write({a: url})
    await open('--drain-timeout', '30s')
    const answer = await complete('a', {stream: true, max_tokens: 60, ignore_eos: true})
    serve!.child.kill('SIGTERM')
    await until('it refuses', async () => (await complete('a').catch(() => null))?.status !== 200)
    expect((await answer.text()).endsWith('data: [DONE]\n\n')).to.equal(true)
    await until('it ends', () => serve!.child.exitCode !== null)
  })

  describeWith(['openssl'], 'with engines over TLS', () => {
    it('reaches those whose certificate is trusted here, streams included, and no others', async () => {
      const pair = selfSigned()
      const authority = join(folder(), 'authority.pem')
      writeFileSync(authority, pair.cert)
      const events = Array.from({length: 200}, (_, index) => `data: ${index} ${'x'.repeat(5000)}\n\n`)
      const secure = createServer(pair, (_, response) => {
        response.writeHead(200, {'content-type': 'text/event-stream'})
        for (const event of events) response.write(event)
        response.end()
      })
      await once(secure.listen(0, 'localhost'), 'listening')
      const port = (secure.address() as AddressInfo).port
      const rest = 'router: {retry_seconds: 0}'
      writeFileSync(
        configPath(),
        `instances: [{model: a, engine: openai, url: "https://localhost:${port}"}]\n${rest}\n`,
      )
      try {
        serve = await startServeWith({NODE_EXTRA_CA_CERTS: authority}, '--config', configPath())
        started.push(serve.child)
        for (let turn = 0; turn < 2; turn++)
          expect(await (await complete('a', {stream: true})).text()).to.equal(events.join(''))
        serve.child.kill('SIGTERM')
        await once(serve.child, 'close')
        await open()
        const refused = await complete('a')
        expect([refused.status, await refused.text()].join(' ')).to.match(/^502 .*self-signed certificate/)
      } finally {
        secure.closeAllConnections()
        secure.close()
      }
    })
  })
})
