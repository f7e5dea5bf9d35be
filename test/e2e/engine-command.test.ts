import {once} from 'node:events'
import {existsSync} from 'node:fs'
import {createServer, type AddressInfo} from 'node:net'
import {expect} from 'chai'
import fc from 'fast-check'
import {runCli} from '../support/cli.js'
import {endEngine, startEngine} from '../support/engine-process.js'

interface State {
  readonly requests: readonly unknown[]
  readonly pool: {readonly used_blocks: number}
}

describe('kvctl engine', () => {
  let engine: Awaited<ReturnType<typeof startEngine>>
  const name = `kvctl_e2e_${process.pid}`

  before(async () => {
    engine = await startEngine(
      '--ipc-name',
      name,
      '--itl-ms',
      '1',
      '--served_model_name',
      'm',
      '--max-model-len',
      '4k',
    )
  })
  after(async () => {
    expect(await endEngine(engine.child, 'SIGTERM')).to.equal(0)
    expect(existsSync(`/dev/shm/${name}`)).to.equal(false)
  })

  const post = (path: string, body: unknown, signal?: AbortSignal): Promise<Response> =>
    fetch(engine.url + path, {
      method: 'POST',
      headers: {'content-type': 'application/json'},
      body: typeof body === 'string' ? body : JSON.stringify(body),
      ...(signal && {signal}),
    })
  const state = async (): Promise<State> => (await (await fetch(`${engine.url}/kvctl/state`)).json()) as State
  const messages = [{role: 'user', content: 'Hello'}]

  it('says where it listens, who it is and which segment it keeps', () => {
    expect(engine.url).to.match(/^http:\/\/127\.0\.0\.1:\d+$/)
    expect(engine.pid).to.equal(engine.child.pid)
    expect(engine.segment).to.equal(name)
    expect(existsSync(`/dev/shm/${name}`)).to.equal(true)
  })

  it('streams a chat: role, tokens, finish reason, usage, [DONE]', async () => {
    const response = await post('/v1/chat/completions', {
      messages,
      stream: true,
      max_tokens: 20,
      ignore_eos: true,
      stream_options: {include_usage: true},
    })
    const lines = (await response.text()).split('\n\n').filter(line => line !== '')
    expect(lines.at(-1)).to.equal('data: [DONE]')
    const chunks = lines
      .slice(0, -1)
      .map(line => JSON.parse(line.slice('data: '.length)) as Record<string, unknown>)
    const deltas = chunks.flatMap(
      chunk => chunk['choices'] as {delta: {content: string}; finish_reason: string}[],
    )
    expect(deltas[0]!.delta).to.deep.equal({role: 'assistant', content: ''})
    expect(deltas.at(-1)!.finish_reason).to.equal('length')
    expect(deltas.map(choice => choice.delta.content).join('')).to.match(/^( [a-z]+|[,.])+$/)
    const usage = chunks.at(-1)!['usage'] as {completion_tokens: number}
    expect(usage.completion_tokens).to.equal(20)
  })

  it('says the same to the same request, alone or among others', async () => {
    const ask = async (): Promise<string> => {
      const response = await post('/v1/completions', {prompt: 'Once upon a time', max_tokens: 60})
      return ((await response.json()) as {choices: {text: string}[]}).choices[0]!.text
    }
    const alone = await ask()
    const together = await Promise.all(Array.from({length: 16}, ask))
    expect(new Set([alone, ...together]).size).to.equal(1)
  })

  it('answers a question about a model it does not serve in vLLM words', async () => {
    const response = await post('/v1/chat/completions', {model: 'gpt', messages})
    expect(response.status).to.equal(404)
    expect(await response.json()).to.deep.equal({
      error: {message: 'The model `gpt` does not exist.', type: 'NotFoundError', param: 'model', code: 404},
    })
  })

  it('frees the blocks of a client that leaves', async () => {
    const leave = new AbortController()
    const response = await post(
      '/v1/completions',
      {prompt: 'Hello', stream: true, max_tokens: 3000, ignore_eos: true},
      leave.signal,
    )
    await response.body!.getReader().read()
    expect((await state()).pool.used_blocks).to.be.greaterThan(0)
    leave.abort()
    for (;;) {
      const {requests, pool} = await state()
      if (requests.length === 0 && pool.used_blocks === 0) break
    }
  })

  it('counts on /metrics exactly what its clients saw', async () => {
    const read = async (): Promise<Record<'prompt' | 'generated' | 'finished' | 'stopped', number>> => {
      const page = await (await fetch(`${engine.url}/metrics`)).text()
      const value = (series: string, label = ''): number => {
        const line = page.split('\n').find(one => one.startsWith(`${series}{`) && one.includes(label))
        return Number(line!.split(' ').at(-1))
      }
      return {
        prompt: value('vllm:prompt_tokens_total'),
        generated: value('vllm:generation_tokens_total'),
        finished: value('vllm:e2e_request_latency_seconds_count'),
        stopped: value('vllm:request_success_total', 'finished_reason="stop"'),
      }
    }
    const before = await read()
    const usages = await Promise.all(
      Array.from({length: 40}, async (_, index) => {
        const body = {prompt: `Question ${index % 7}`, max_tokens: 5 + (index % 11), ignore_eos: true}
        const response = await post('/v1/completions', body)
        return ((await response.json()) as {usage: {prompt_tokens: number; completion_tokens: number}}).usage
      }),
    )
    const after = await read()
    const sum = (key: 'prompt_tokens' | 'completion_tokens'): number =>
      usages.reduce((total, usage) => total + usage[key], 0)
    expect(after.prompt - before.prompt).to.equal(sum('prompt_tokens'))
    expect(after.generated - before.generated).to.equal(sum('completion_tokens'))
    expect(after.finished - before.finished).to.equal(40)

    const full = await (
      await post('/v1/completions', {prompt: 'Question 1', max_tokens: 8, ignore_eos: true})
    ).json()
    const [stop] = (full as {choices: {text: string}[]}).choices[0]!.text.trim().split(/[ ,.]/, 1)
    await post('/v1/completions', {prompt: 'Question 1', max_tokens: 8, ignore_eos: true, stop})
    while ((await read()).finished < after.finished + 2) await new Promise(resolve => setTimeout(resolve, 5))
    expect((await read()).stopped).to.equal(after.stopped + 1)
  })

  it('tells how much of a prompt its cache holds', async () => {
    const prompt = 'The river and the mountain. '.repeat(20)
    const lookup = async (): Promise<{prompt_tokens: number; cached_tokens: number}> =>
      (await (await post('/kvctl/lookup', {prompt})).json()) as {prompt_tokens: number; cached_tokens: number}
    expect((await lookup()).cached_tokens).to.equal(0)
    await (await post('/v1/completions', {prompt, max_tokens: 1})).json()
    const {prompt_tokens: tokens, cached_tokens: cached} = await lookup()
    expect(cached).to.equal(Math.floor((tokens - 1) / 16) * 16)
    await post('/reset_prefix_cache', {})
    expect((await lookup()).cached_tokens).to.equal(0)
  })

  it('survives random bodies without a failure, a hang or a lost block', async () => {
    const key = fc.constantFrom(
      'prompt',
      'messages',
      'max_tokens',
      'n',
      'stop',
      'stream',
      'echo',
      'min_tokens',
      'logprobs',
    )
    const value = fc.oneof(
      fc.jsonValue({maxDepth: 2}),
      fc.constantFrom<unknown>('Hello', 1, 2, true, messages, [[65, 66]]),
    )
    const body = fc.oneof(
      fc.dictionary(key, value).map(rest => ({max_tokens: 3, ...rest})),
      fc.jsonValue(),
    )
    const path = fc.constantFrom('/v1/completions', '/v1/chat/completions')
    await fc.assert(
      fc.asyncProperty(path, body, async (target, sent) => {
        const response = await post(target, sent)
        await response.text()
        expect(response.status, JSON.stringify(sent)).to.be.oneOf([200, 400, 404, 501])
      }),
      {numRuns: 150},
    )
    const {requests, pool} = await state()
    expect([requests.length, pool.used_blocks]).to.deep.equal([0, 0])
  })
})

describe('kvctl engine, its end', () => {
  it('lets running answers end after Ctrl-C, then leaves with 0 and nothing in /dev/shm', async () => {
    const name = `kvctl_e2e_end_${process.pid}`
    const {url, child} = await startEngine('--ipc-name', name, '--itl-ms', '10')
    const response = await fetch(`${url}/v1/completions`, {
      method: 'POST',
      headers: {'content-type': 'application/json'},
      body: JSON.stringify({prompt: 'Hello', max_tokens: 30, ignore_eos: true, stream: true}),
    })
    const code = endEngine(child, 'SIGINT')
    expect(await response.text()).to.match(/"finish_reason":"length".*data: \[DONE\]\n\n$/s)
    expect(await code).to.equal(0)
    expect(existsSync(`/dev/shm/${name}`)).to.equal(false)
  })

  it('ends when the program that started it is gone', async () => {
    const {child, segment} = await startEngine()
    child.stdin!.end()
    const [code] = (await once(child, 'close')) as [number | null]
    expect(code).to.equal(0)
    expect(existsSync(`/dev/shm/${segment}`)).to.equal(false)
  })

  it('aborts what outlasts --drain-timeout', async () => {
    const {url, child} = await startEngine('--itl-ms', '50', '--drain-timeout', '0', '--no-segment')
    const response = await fetch(`${url}/v1/completions`, {
      method: 'POST',
      headers: {'content-type': 'application/json'},
      body: JSON.stringify({prompt: 'Hello', max_tokens: 10_000, ignore_eos: true, stream: true}),
    })
    const broken = response.text().then(
      () => false,
      () => true,
    )
    expect(await endEngine(child, 'SIGTERM')).to.equal(0)
    expect(await broken).to.equal(true)
  })
})

describe('kvctl engine, its mistakes', () => {
  const mistakes: [string, string[], number, string][] = [
    ['an unknown model', ['--model', 'my/own'], 2, 'MODEL_UNKNOWN'],
    ['a model file that is not there', ['--model', 'no/config.json'], 2, 'MODEL_CONFIG_UNREADABLE'],
    ['a model file that is none', ['--model', 'package.json'], 2, 'MODEL_CONFIG_INVALID'],
    ['an unknown GPU', ['--gpu-type', 'A1000'], 2, 'GPU_UNKNOWN'],
    ['a length that is none', ['--max-model-len', 'long'], 2, 'TOKEN_COUNT_INVALID'],
    ['a length beyond the pool', ['--max-model-len', '1M'], 2, 'MODEL_LENGTH_INVALID'],
    ['other machines without a key', ['--host', '0.0.0.0'], 2, 'AUTH_REQUIRED'],
    ['a share above 1', ['--inject-error-rate', '1.5'], 2, 'NUMBER_INVALID'],
    [
      'shares that add up to more than 1',
      ['--inject-error-rate', '0.6', '--inject-429-rate', '0.6'],
      2,
      'USAGE',
    ],
    ['a speed of 0', ['--speedup', '0'], 2, 'USAGE'],
    [
      'an address that is not of this machine',
      ['--host', '192.0.2.1', '--no-auth'],
      4,
      'ADDRESS_UNAVAILABLE',
    ],
    ['a segment name that leads elsewhere', ['--ipc-name', '../x'], 2, 'SEGMENT_NAME_INVALID'],
  ]
  for (const [what, args, status, code] of mistakes) {
    it(`refuses ${what} with ${status} and ${code}, in text and JSON`, async () => {
      const json = await runCli(['engine', '--port', '0', '--json', ...args])
      expect(json.code).to.equal(status)
      expect((JSON.parse(json.stdout) as {error: {code: string}}).error.code).to.equal(code)
      const text = await runCli(['engine', '--port', '0', ...args])
      expect([text.code, text.stdout]).to.deep.equal([status, ''])
      expect(text.stderr).to.match(/^Error: [^\n]+\n( {2}Try: [^\n]+\n)*$/)
    })
  }

  it('refuses a port in use with 4, and leaves no segment', async () => {
    const holder = createServer().listen(0, '127.0.0.1')
    await once(holder, 'listening')
    const {port} = holder.address() as AddressInfo
    const name = `kvctl_e2e_port_${process.pid}`
    const result = await runCli(['engine', '--port', String(port), '--ipc-name', name])
    holder.close()
    expect(result.code).to.equal(4)
    expect(result.stderr).to.include(`port ${port} of 127.0.0.1 is in use`)
    expect(existsSync(`/dev/shm/${name}`)).to.equal(false)
  })
})
