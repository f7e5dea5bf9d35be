import {expect} from 'chai'
import {createBuiltinTokenizer} from '../../src/lib/tokens/index.js'
import {serveEngine, type EngineServer} from '../support/engine-server.js'
import {scriptedEngine, type ScriptedEngine} from '../support/scripted-engine.js'

const tokenizer = createBuiltinTokenizer()
const one = (text: string): number => {
  const ids = tokenizer.encode(text)
  expect(ids, text).to.have.length(1)
  return ids[0]!
}
const SCRIPT = [' a', ' at', ' we', ' be'].map(one)
const MESSAGES = [{role: 'user', content: 'Hi'}]

/** Ids and times differ from run to run; everything else must not. */
const replaced = (text: string): string =>
  text
    .replaceAll(/"(chatcmpl|cmpl)-[0-9a-f]{32}"/g, '"$1-X"')
    .replaceAll(/"created":\d{10}/g, '"created":1764000000')

describe('streams, byte for byte as vLLM writes them', () => {
  let engine: ScriptedEngine
  let server: EngineServer

  beforeEach(async () => {
    engine = scriptedEngine(() => SCRIPT)
    server = await serveEngine(engine)
  })
  afterEach(() => server.close())

  /** Posts, lets the engine run to its end, gives the whole body. */
  async function stream(path: string, body: object): Promise<string> {
    const response = await server.post(path, {model: 'm', stream: true, ...body})
    expect(response.status).to.equal(200)
    expect(response.headers.get('content-type')).to.equal('text/event-stream; charset=utf-8')
    await engine.run()
    return replaced(await response.text())
  }
  const event = (rest: string, kind = 'chat'): string =>
    kind === 'chat'
      ? `data: {"id":"chatcmpl-X","object":"chat.completion.chunk","created":1764000000,"model":"m",${rest}}\n\n`
      : `data: {"id":"cmpl-X","object":"text_completion","created":1764000000,"model":"m",${rest}}\n\n`
  const text = (rest: string): string => event(rest, 'text')

  it('chat with usage: role event, one event a token, the last with its finish reason, usage, [DONE]', async () => {
    const body = await stream('/v1/chat/completions', {
      messages: MESSAGES,
      max_tokens: 2,
      stream_options: {include_usage: true},
    })
    const prompt = engine.submitted[0]!.promptTokens.length
    expect(body).to.equal(
      event(
        '"choices":[{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}],"prompt_token_ids":null,"prompt_text":null',
      ) +
        event(
          '"choices":[{"index":0,"delta":{"content":" a"},"logprobs":null,"finish_reason":null,"token_ids":null}]',
        ) +
        event(
          '"choices":[{"index":0,"delta":{"content":" at"},"logprobs":null,"finish_reason":"length","stop_reason":null,"token_ids":null}]',
        ) +
        event(
          `"choices":[],"usage":{"prompt_tokens":${prompt},"total_tokens":${prompt + 2},"completion_tokens":2},"system_fingerprint":"kvctl-0.1.0"`,
        ) +
        'data: [DONE]\n\n',
    )
  })

  it('completion without usage: no role event, the fingerprint on the last event', async () => {
    const body = await stream('/v1/completions', {prompt: 'Hi', max_tokens: 2})
    expect(body).to.equal(
      text(
        '"choices":[{"index":0,"text":" a","logprobs":null,"finish_reason":null,"stop_reason":null,"prompt_token_ids":null,"token_ids":null}]',
      ) +
        text(
          '"choices":[{"index":0,"text":" at","logprobs":null,"finish_reason":"length","stop_reason":null,"prompt_token_ids":null,"token_ids":null}],"system_fingerprint":"kvctl-0.1.0"',
        ) +
        'data: [DONE]\n\n',
    )
  })

  it('chat with n=2: both roles first, then the choices take turns', async () => {
    const body = await stream('/v1/chat/completions', {messages: MESSAGES, max_tokens: 1, n: 2})
    const role = (index: number): string =>
      event(
        `"choices":[{"index":${index},"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}],"prompt_token_ids":null,"prompt_text":null`,
      )
    const last = (index: number, rest = ''): string =>
      event(
        `"choices":[{"index":${index},"delta":{"content":" a"},"logprobs":null,"finish_reason":"length","stop_reason":null,"token_ids":null}]${rest}`,
      )
    expect(body).to.equal(
      role(0) + role(1) + last(0) + last(1, ',"system_fingerprint":"kvctl-0.1.0"') + 'data: [DONE]\n\n',
    )
  })

  it('continuous usage: running totals of the choice on every event, zero on the role event', async () => {
    const body = await stream('/v1/chat/completions', {
      messages: MESSAGES,
      max_tokens: 2,
      stream_options: {include_usage: true, continuous_usage_stats: true},
    })
    const prompt = engine.submitted[0]!.promptTokens.length
    const totals = [...body.matchAll(/"usage":(\{[^}]*\})/g)].map(match => JSON.parse(match[1]!) as object)
    const usage = (generated: number): object => ({
      prompt_tokens: prompt,
      total_tokens: prompt + generated,
      completion_tokens: generated,
    })
    expect(totals).to.deep.equal([usage(0), usage(1), usage(2), usage(2)])
  })

  it('an echoed prompt rides with the first piece', async () => {
    const body = await stream('/v1/completions', {prompt: 'Hi', max_tokens: 2, echo: true})
    expect(body).to.include('"text":"Hi a"').and.to.include('"text":" at"')
  })

  it('an echo without an answer is one event that ends with length', async () => {
    const body = await stream('/v1/completions', {prompt: 'Hi', max_tokens: 0, echo: true})
    expect(body.match(/"text":"Hi".*"finish_reason":"length"/g)).to.have.length(1)
    expect(engine.submitted).to.have.length(0)
  })

  it('a stop string never shows, ends with its name, and lets the engine go', async () => {
    const body = await stream('/v1/chat/completions', {messages: MESSAGES, stop: ['t we'], max_tokens: 4})
    const pieces = [...body.matchAll(/"delta":\{"content":("[^"]*")\}/g)].map(
      match => JSON.parse(match[1]!) as string,
    )
    expect(pieces.join('')).to.equal(' a a')
    expect(body).to.include('"finish_reason":"stop","stop_reason":"t we"')
    expect(engine.stopped).to.have.length(1)
  })

  it('a stop token gives no text unless it is asked for', async () => {
    const {stopTokenId} = {stopTokenId: SCRIPT[1]!}
    const silent = await stream('/v1/completions', {
      prompt: 'Hi',
      max_tokens: 2,
      stop_token_ids: [stopTokenId],
    })
    expect(silent).to.not.include('" at"')
    const shown = await stream('/v1/completions', {
      prompt: 'Hi',
      max_tokens: 2,
      stop_token_ids: [stopTokenId],
      include_stop_str_in_output: true,
    })
    expect(shown).to.include('" at"')
  })

  it('an engine that fails after the head says so in an event, then [DONE]', async () => {
    const response = await server.post('/v1/chat/completions', {messages: MESSAGES, stream: true})
    engine.step()
    await new Promise(resolve => setImmediate(resolve))
    engine.fail('a page was lost')
    const body = await response.text()
    expect(body).to.match(
      /data: \{"error":\{"message":"a page was lost","type":"InternalServerError","param":null,"code":500\}\}\n\ndata: \[DONE\]\n\n$/,
    )
  })

  it('log probabilities of a sure choice are 0, with offsets that follow the text', async () => {
    const body = await stream('/v1/completions', {prompt: 'Hi', max_tokens: 2, logprobs: 1})
    expect(body).to.include(
      '"logprobs":{"text_offset":[0],"token_logprobs":[0],"tokens":[" a"],"top_logprobs":[{" a":0}]}',
    )
    expect(body).to.include('"text_offset":[2]')
  })
})

describe('whole replies, every key there', () => {
  let engine: ScriptedEngine
  let server: EngineServer

  beforeEach(async () => {
    engine = scriptedEngine(() => SCRIPT)
    server = await serveEngine(engine)
  })
  afterEach(() => server.close())

  async function whole(path: string, body: object): Promise<string> {
    const pending = server.post(path, body)
    while (engine.submitted.length === 0) await new Promise(resolve => setImmediate(resolve))
    await engine.run()
    const response = await pending
    expect(response.status).to.equal(200)
    return replaced(await response.text())
  }

  it('completion', async () => {
    const body = await whole('/v1/completions', {prompt: 'Hi', max_tokens: 2})
    const prompt = engine.submitted[0]!.promptTokens.length
    expect(body).to.equal(
      '{"id":"cmpl-X","object":"text_completion","created":1764000000,"model":"m","choices":[{"index":0,"text":" a at",' +
        '"logprobs":null,"finish_reason":"length","stop_reason":null,"token_ids":null,"prompt_logprobs":null,' +
        '"prompt_token_ids":null,"routed_experts":null}],"service_tier":null,"system_fingerprint":"kvctl-0.1.0",' +
        `"usage":{"prompt_tokens":${prompt},"total_tokens":${prompt + 2},"completion_tokens":2,"prompt_tokens_details":null},` +
        '"kv_transfer_params":null}',
    )
  })

  it('chat', async () => {
    const body = await whole('/v1/chat/completions', {messages: MESSAGES})
    const prompt = engine.submitted[0]!.promptTokens.length
    expect(body).to.equal(
      '{"id":"chatcmpl-X","object":"chat.completion","created":1764000000,"model":"m","choices":[{"index":0,' +
        '"message":{"role":"assistant","content":" a at we be","refusal":null,"annotations":null,"audio":null,' +
        '"function_call":null,"tool_calls":[],"reasoning":null},"logprobs":null,"finish_reason":"stop",' +
        '"stop_reason":null,"token_ids":null,"routed_experts":null}],"service_tier":null,' +
        `"system_fingerprint":"kvctl-0.1.0","usage":{"prompt_tokens":${prompt},"total_tokens":${prompt + 4},` +
        '"completion_tokens":4,"prompt_tokens_details":null},"prompt_logprobs":null,"prompt_token_ids":null,' +
        '"prompt_text":null,"kv_transfer_params":null}',
    )
  })

  it('a batch with n=2: index is k + p·n, each prompt counted once', async () => {
    const body = JSON.parse(
      await whole('/v1/completions', {prompt: ['Hi', 'Hello'], n: 2, max_tokens: 1}),
    ) as {
      choices: {index: number}[]
      usage: {prompt_tokens: number; completion_tokens: number}
    }
    expect(body.choices.map(choice => choice.index)).to.deep.equal([0, 1, 2, 3])
    const prompts = ['Hi', 'Hello'].map(prompt => tokenizer.encode(prompt))
    expect(engine.submitted.map(request => request.promptTokens)).to.deep.equal([
      prompts[0],
      prompts[0],
      prompts[1],
      prompts[1],
    ])
    expect(body.usage.prompt_tokens).to.equal(prompts[0]!.length + prompts[1]!.length)
    expect(body.usage.completion_tokens).to.equal(4)
  })

  it('token ids in, and token ids out when asked', async () => {
    const ids = tokenizer.encode('Hi there')
    const body = JSON.parse(
      await whole('/v1/completions', {prompt: ids, max_tokens: 2, return_token_ids: true}),
    ) as {choices: {token_ids: number[]; prompt_token_ids: number[]}[]}
    expect(body.choices[0]!.token_ids).to.deep.equal(SCRIPT.slice(0, 2))
    expect(body.choices[0]!.prompt_token_ids).to.deep.equal(ids)
  })
})
