import {expect} from 'chai'
import fc from 'fast-check'
import {connect, type Socket} from 'node:net'
import {once} from 'node:events'
import {ResourceError} from '../../../src/lib/foundation/index.js'
import {createBuiltinTokenizer} from '../../../src/lib/tokens/index.js'
import {serveEngine, type EngineServer} from '../../support/engine-server.js'
import {scriptedEngine, type ScriptedEngine} from '../../support/scripted-engine.js'

const tokenizer = createBuiltinTokenizer()
const MESSAGES = [{role: 'user', content: 'Hi'}]

const TIME = tokenizer.encode(' time')[0]!

/** A client whose reading a test can stop. */
function post(url: string, body: object): Socket {
  const text = JSON.stringify(body)
  const head = `POST /v1/completions HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\n`
  const socket = connect(Number(new URL(url).port), '127.0.0.1')
  socket.write(`${head}content-length: ${text.length}\r\n\r\n${text}`)
  return socket
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise(resolve => setTimeout(resolve, 1))
}

describe('the HTTP surface of an engine', () => {
  let engine: ScriptedEngine
  let server: EngineServer
  beforeEach(async () => {
    engine = scriptedEngine(() => Array<number>(1000).fill(TIME))
    server = await serveEngine(engine)
  })
  afterEach(() => server.close())

  it('lists every served name with the root behind it', async () => {
    const list = (await (await server.get('/v1/models')).json()) as {data: Record<string, unknown>[]}
    expect(list.data.map(model => [model['id'], model['root'], model['max_model_len']])).to.deep.equal([
      ['m', 'org/m', 1024],
      ['alias', 'org/m', 1024],
    ])
  })

  it('answers under the alias that was asked for', async () => {
    const pending = server.post('/v1/completions', {model: 'alias', prompt: 'Hi', max_tokens: 1})
    await until(() => engine.unfinished > 0)
    engine.step()
    expect(((await (await pending).json()) as {model: string}).model).to.equal('alias')
  })

  it('takes the id of a reply from X-Request-Id', async () => {
    const pending = server.post('/v1/completions', {prompt: 'Hi', max_tokens: 1}, {'x-request-id': 'run-7'})
    await until(() => engine.unfinished > 0)
    engine.step()
    expect(((await (await pending).json()) as {id: string}).id).to.equal('cmpl-run-7')
  })

  it('keeps two requests with one X-Request-Id apart', async () => {
    const headers = {'x-request-id': 'same'}
    const pending = [1, 2].map(() => server.post('/v1/completions', {prompt: 'Hi', max_tokens: 1}, headers))
    await until(() => engine.unfinished === 2)
    expect(new Set(engine.submitted.map(request => request.id)).size).to.equal(2)
    engine.step()
    await Promise.all(pending)
  })

  it('aborts a stream whose client leaves', async () => {
    const leave = new AbortController()
    const response = await fetch(`${server.url}/v1/chat/completions`, {
      method: 'POST',
      headers: {'content-type': 'application/json'},
      body: JSON.stringify({messages: MESSAGES, stream: true, n: 2}),
      signal: leave.signal,
    })
    engine.step()
    await response.body!.getReader().read()
    leave.abort()
    await until(() => engine.unfinished === 0)
    expect(engine.aborted).to.have.length(2)
    await until(() => server.app.inFlight.requests === 0)
  })

  it('aborts an answer that is not streamed when its client leaves', async () => {
    const leave = new AbortController()
    const pending = fetch(`${server.url}/v1/completions`, {
      method: 'POST',
      headers: {'content-type': 'application/json'},
      body: JSON.stringify({prompt: 'Hi', max_tokens: 100}),
      signal: leave.signal,
    }).catch((error: unknown) => (error as Error).name)
    await until(() => engine.unfinished > 0)
    leave.abort()
    expect(await pending).to.equal('AbortError')
    await until(() => engine.unfinished === 0 && server.app.inFlight.requests === 0)
  })

  it('joins what a slow client missed into few events, loses nothing, and keeps little in memory', async () => {
    const tokens = 4000
    const wide = scriptedEngine(() => Array<number>(tokens).fill(TIME), 65_536)
    // Events of 6 kB each: far more than the kernel's buffers hold.
    const slow = await serveEngine(wide, {model: {names: ['m'.repeat(6000)]}})
    try {
      const socket = post(slow.url, {prompt: 'Hi', max_tokens: tokens, stream: true})
      await until(() => wide.unfinished > 0)
      socket.pause()
      await wide.run()
      let raw = ''
      socket.setEncoding('utf8').on('data', (part: string) => (raw += part))
      socket.resume()
      await once(socket, 'end')
      const pieces = [...raw.matchAll(/"text":("[^"]*")/g)].map(match => JSON.parse(match[1]!) as string)
      expect(pieces.join('')).to.equal(' time'.repeat(tokens))
      expect(pieces.length).to.be.lessThan(tokens)
      expect(raw).to.match(/data: \[DONE\]\n\n/)
    } finally {
      await slow.close()
    }
  })

  it('puts out a client that reads nothing for too long', async () => {
    const wide = scriptedEngine(() => Array<number>(60_000).fill(TIME), 65_536)
    const strict = await serveEngine(wide, {slowClientMs: 20, model: {names: ['m'.repeat(6000)]}})
    try {
      const socket = post(strict.url, {prompt: 'Hi', max_tokens: 60_000, stream: true, n: 16})
      socket.pause().on('error', () => {})
      await until(() => wide.unfinished === 16)
      while (wide.unfinished > 0) {
        wide.step()
        await new Promise(resolve => setImmediate(resolve))
      }
      expect(wide.aborted).to.have.length(16)
      socket.destroy()
    } finally {
      await strict.close()
    }
  })

  it('refuses what exceeds its queue with 503 and a time to come back', async () => {
    const pending = Array.from({length: 4}, () =>
      server.post('/v1/completions', {prompt: 'Hi', n: 16, max_tokens: 1}),
    )
    await until(() => engine.unfinished === 64)
    const refused = await server.post('/v1/completions', {prompt: 'Hi', max_tokens: 1})
    expect(refused.status).to.equal(503)
    expect(refused.headers.get('retry-after')).to.equal('1')
    expect(((await refused.json()) as {error: {type: string}}).error.type).to.equal('ServiceUnavailableError')
    engine.step()
    await Promise.all(pending)
  })

  it('refuses new requests while it drains, and ends when the last answer has', async () => {
    const pending = server.post('/v1/completions', {prompt: 'Hi', max_tokens: 1})
    await until(() => engine.unfinished > 0)
    let isDrained = false
    const drained = server.app.inFlight.drain().then(() => (isDrained = true))
    expect((await server.get('/health')).status).to.equal(503)
    expect((await server.post('/v1/completions', {prompt: 'Hi'})).status).to.equal(503)
    expect(isDrained).to.equal(false)
    engine.step()
    expect((await pending).status).to.equal(200)
    await drained
  })

  it('is drained only when a slow client has read its last byte', async () => {
    const wide = scriptedEngine(() => [TIME, TIME])
    const slow = await serveEngine(wide, {model: {names: ['m'.repeat(8_000_000)]}})
    try {
      const socket = post(slow.url, {prompt: 'Hi', max_tokens: 2, stream: true}).pause()
      await until(() => wide.unfinished > 0)
      await wide.run()
      let isDrained = false
      const drained = slow.app.inFlight.drain().then(() => (isDrained = true))
      await new Promise(resolve => setTimeout(resolve, 20))
      expect(isDrained).to.equal(false)
      let raw = ''
      socket.setEncoding('utf8').on('data', (part: string) => (raw += part))
      socket.resume()
      await drained
      await once(socket, 'end')
      expect(raw).to.include('data: [DONE]')
    } finally {
      await slow.close()
    }
  })

  it('says 503 once its engine serves no more', async () => {
    const dead = await serveEngine({
      ...engine,
      isServing: false,
      submit() {
        throw new ResourceError('ENGINE_CLOSED', 'the engine is failed and takes no more requests')
      },
    })
    try {
      expect((await dead.get('/health')).status).to.equal(503)
      expect((await dead.get('/ping')).status).to.equal(503)
      expect((await dead.post('/v1/completions', {prompt: 'Hi'})).status).to.equal(503)
      expect((await dead.post('/v1/completions', {prompt: 'Hi', stream: true})).status).to.equal(503)
    } finally {
      await dead.close()
    }
  })

  it('separates its pages of metrics by whole lines', async () => {
    const page = await (await server.get('/metrics')).text()
    for (const line of page.split('\n')) {
      expect(line).to.match(
        /^(|# (HELP|TYPE) [a-zA-Z_:][\w:]* .+|[a-zA-Z_:][\w:]*(\{.*\})? (\d|-|NaN|\+Inf)\S*)$/,
      )
    }
    expect(page).to.match(/^kvctl_engine_blocks\{state="empty"\} 64$/m)
  })

  it('counts on /metrics what its clients saw', async () => {
    const bodies = [1, 2, 3].map(async n => {
      const response = await server.post('/v1/completions', {prompt: 'Hi there', n, max_tokens: 2 * n})
      return (await response.json()) as {usage: {prompt_tokens: number; completion_tokens: number}}
    })
    await until(() => engine.unfinished === 6)
    await engine.run()
    const usages = (await Promise.all(bodies)).map(body => body.usage)
    const page = await (await server.get('/metrics')).text()
    const sample = (name: string, labels: string): number => {
      const line = page.split('\n').find(one => one.startsWith(`${name}{`) && one.includes(labels))
      return Number(line?.split(' ').at(-1))
    }
    const generated = usages.reduce((sum, usage) => sum + usage.completion_tokens, 0)
    expect(generated).to.equal(1 * 2 + 2 * 4 + 3 * 6)
    expect(sample('vllm:generation_tokens_total', 'model_name="m"')).to.equal(generated)
    expect(sample('vllm:request_success_total', 'finished_reason="length"')).to.equal(6)
    expect(sample('vllm:time_to_first_token_seconds_count', 'engine="0"')).to.equal(6)
    expect(sample('vllm:inter_token_latency_seconds_count', 'engine="0"')).to.equal(generated - 6)
    expect(sample('vllm:request_params_n_count', 'engine="0"')).to.equal(3)
    expect(sample('http_requests_total', 'handler="/v1/completions"')).to.equal(3)
  })

  it('writes the metrics page of which scrapers read these lines', async () => {
    const page = await (await server.get('/metrics')).text()
    for (const line of [
      '# TYPE vllm:num_requests_running gauge',
      'vllm:num_requests_running{model_name="m",engine="0"} 0',
      'vllm:kv_cache_usage_perc{model_name="m",engine="0"} 0',
      'vllm:cache_config_info{block_size="16",num_gpu_blocks="65",engine="0"} 1',
      '# TYPE vllm:time_to_first_token_seconds histogram',
      'vllm:time_to_first_token_seconds_bucket{le="0.001",model_name="m",engine="0"} 0',
      'vllm:request_prompt_tokens_bucket{le="1000",model_name="m",engine="0"} 0',
    ]) {
      expect(page.split('\n')).to.include(line)
    }
    expect(page).to.not.include('le="2000"')
  })

  it('tokenizes and detokenizes, text and conversations', async () => {
    const prompt = 'Zürich at night'
    const ids = tokenizer.encode(prompt)
    const encoded = await (await server.post('/tokenize', {prompt, return_token_strs: true})).json()
    expect(encoded).to.deep.equal({
      count: ids.length,
      max_model_len: 1024,
      tokens: ids,
      token_strs: ids.map(id => tokenizer.decode([id])),
    })
    const decoded = await (await server.post('/detokenize', {tokens: ids})).json()
    expect(decoded).to.deep.equal({prompt})
    const chat = (await (await server.post('/tokenize', {messages: MESSAGES})).json()) as {tokens: number[]}
    expect(tokenizer.decode(chat.tokens)).to.match(/user\nHi.*assistant\n$/s)
  })

  it('tells what it is: its own version, never the name of another engine', async () => {
    expect(await (await server.get('/version')).json()).to.deep.equal({version: '0.1.0'})
    const info = (await (await server.get('/server_info?config_format=json')).json()) as {
      vllm_config: {timing: string}
    }
    expect(info.vllm_config.timing).to.equal('none')
    expect(await (await server.get('/load')).json()).to.deep.equal({server_load: 0})
    expect((await server.get('/health')).status).to.equal(200)
    expect((await server.post('/ping', {})).status).to.equal(200)
  })

  it('answers any body at all with a valid reply or a refusal, never a failure', async () => {
    const field = fc.constantFrom(
      ...['model', 'prompt', 'messages', 'max_tokens', 'min_tokens', 'n', 'stop', 'stop_token_ids', 'stream'],
      ...[
        'stream_options',
        'echo',
        'logprobs',
        'top_logprobs',
        'temperature',
        'top_p',
        'cache_salt',
        'tools',
      ],
      ...['tool_choice', 'ignore_eos', 'truncate_prompt_tokens', 'response_format', 'priority', 'suffix'],
    )
    const value = fc.oneof(
      fc.constantFrom<unknown>(
        null,
        true,
        false,
        0,
        1,
        2,
        -1,
        1.5,
        '',
        'm',
        'Hi',
        [],
        {},
        [[1, 2], [3]],
        ['a', 'b'],
      ),
      fc.constant(MESSAGES),
      fc.jsonValue({maxDepth: 3}),
    )
    const body = fc.oneof(
      {weight: 6, arbitrary: fc.dictionary(field, value, {maxKeys: 6})},
      {
        weight: 2,
        arbitrary: fc
          .dictionary(field, value, {maxKeys: 5})
          .map(rest => ({messages: MESSAGES, prompt: 'Hi', ...rest})),
      },
      {weight: 1, arbitrary: fc.jsonValue()},
    )
    const path = fc.constantFrom('/v1/completions', '/v1/chat/completions', '/tokenize', '/detokenize')
    await fc.assert(
      fc.asyncProperty(path, body, async (target, sent) => {
        const pending = server.post(target, sent)
        let isDone = false
        void pending.then(
          response =>
            response
              .clone()
              .text()
              .then(() => (isDone = true)),
          () => (isDone = true),
        )
        while (!isDone) {
          for (let step = 0; step < 200; step++) engine.step()
          await new Promise(resolve => setImmediate(resolve))
        }
        const response = await pending
        expect(response.status, JSON.stringify(sent)).to.be.oneOf([200, 400, 404, 501])
        expect(engine.unfinished).to.equal(0)
      }),
      {numRuns: 400},
    )
    expect(server.app.inFlight.requests).to.equal(0)
  })
})
