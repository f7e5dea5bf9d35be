import {expect} from 'chai'
import {serveEngine, type EngineServer} from '../../support/engine-server.js'
import {scriptedEngine} from '../../support/scripted-engine.js'

const CHAT = '/v1/chat/completions'
const TEXT = '/v1/completions'
const chat = (rest: object): object => ({messages: [{role: 'user', content: 'Hi'}], ...rest})
const TOOL = {type: 'function', function: {name: 'f'}}
const text = (rest: object): object => ({prompt: 'Hi', ...rest})

describe('refusals', () => {
  let server: EngineServer
  before(async () => {
    server = await serveEngine(scriptedEngine(() => [65], 100))
  })
  after(() => server.close())

  const cases: [string, string, object | string, number, string, string | null, RegExp][] = [
    [
      'a model that is not here',
      CHAT,
      chat({model: 'x'}),
      404,
      'NotFoundError',
      'model',
      /^The model `x` does not exist\.$/,
    ],
    ['no messages', CHAT, {model: 'm'}, 400, 'Bad Request', 'messages', /messages/],
    [
      'an empty list of messages',
      CHAT,
      {messages: []},
      400,
      'Bad Request',
      'messages',
      /at least one message/,
    ],
    ['messages that are text', CHAT, {messages: 'Hi'}, 400, 'Bad Request', 'messages', /list of messages/],
    ['a body that is no JSON', CHAT, '{"messages":', 400, 'Bad Request', null, /JSON decode error/],
    ['a body that is a list', TEXT, [], 400, 'Bad Request', null, /body/],
    ['no prompt', TEXT, {}, 400, 'BadRequestError', 'prompt', /non-empty/],
    ['an empty prompt', TEXT, {prompt: ''}, 400, 'BadRequestError', 'prompt', /non-empty/],
    ['an empty list of prompts', TEXT, {prompt: []}, 400, 'BadRequestError', 'prompt', /non-empty/],
    ['an empty prompt in a batch', TEXT, {prompt: ['a', '']}, 400, 'BadRequestError', 'prompt', /non-empty/],
    ['a prompt that is a number', TEXT, {prompt: 5}, 400, 'Bad Request', 'prompt', /token ids/],
    [
      'a token id outside the vocabulary',
      TEXT,
      {prompt: [5, 999_999]},
      400,
      'BadRequestError',
      'prompt',
      /999999 is out of vocabulary/,
    ],
    ['max_tokens 0', CHAT, chat({max_tokens: 0}), 400, 'BadRequestError', 'max_tokens', /at least 1, got 0/],
    [
      'max_tokens 0 without echo',
      TEXT,
      text({max_tokens: 0}),
      400,
      'BadRequestError',
      'max_tokens',
      /at least 1, got 0/,
    ],
    ['max_tokens as text', CHAT, chat({max_tokens: '5'}), 400, 'Bad Request', 'max_tokens', /integer/],
    [
      'more tokens than the model takes',
      CHAT,
      chat({max_tokens: 101}),
      400,
      'BadRequestError',
      'max_tokens',
      /^max_tokens=101 cannot be greater than max_model_len=100/,
    ],
    [
      'a prompt and answer that together are too long',
      TEXT,
      {prompt: Array(90).fill(65), max_tokens: 11},
      400,
      'BadRequestError',
      'input_tokens',
      /maximum context length is 100 tokens\. However, you requested 11 output tokens and your prompt contains 90 input tokens, for a total of 101 tokens/,
    ],
    [
      'a prompt that is far too long',
      TEXT,
      {prompt: 'x'.repeat(10_000)},
      400,
      'BadRequestError',
      'input_tokens',
      /contains at least \d+ input tokens/,
    ],
    [
      'a prompt that the engine can never run',
      TEXT,
      {prompt: Array(60).fill(65), max_tokens: 1},
      400,
      'BadRequestError',
      null,
      /never fit/,
    ],
    ['top_p 0', CHAT, chat({top_p: 0}), 400, 'BadRequestError', 'top_p', /\(0, 1\], got 0/],
    [
      'a negative temperature',
      CHAT,
      chat({temperature: -1}),
      400,
      'BadRequestError',
      'temperature',
      /non-negative, got -1/,
    ],
    ['top_k -2', CHAT, chat({top_k: -2}), 400, 'BadRequestError', 'top_k', /got -2/],
    ['min_p 1.5', CHAT, chat({min_p: 1.5}), 400, 'BadRequestError', 'min_p', /\[0, 1\], got 1\.5/],
    [
      'a penalty of 3',
      CHAT,
      chat({presence_penalty: 3}),
      400,
      'BadRequestError',
      'presence_penalty',
      /\[-2, 2\], got 3/,
    ],
    [
      'min_tokens above max_tokens',
      CHAT,
      chat({min_tokens: 6, max_tokens: 5}),
      400,
      'BadRequestError',
      'min_tokens',
      /max_tokens=5, got 6/,
    ],
    ['n 0', CHAT, chat({n: 0}), 400, 'BadRequestError', 'n', /at least 1, got 0/],
    [
      'n 2 with greedy sampling',
      CHAT,
      chat({n: 2, temperature: 0}),
      400,
      'BadRequestError',
      'n',
      /greedy sampling, got 2/,
    ],
    ['n above the limit', CHAT, chat({n: 17}), 400, 'BadRequestError', 'n', /at most 16, got 17/],
    ['an empty stop string', CHAT, chat({stop: ''}), 400, 'BadRequestError', 'stop', /empty string/],
    [
      'an empty stop string in a list',
      CHAT,
      chat({stop: ['a', '']}),
      400,
      'BadRequestError',
      'stop',
      /empty string/,
    ],
    ['an empty cache_salt', CHAT, chat({cache_salt: ''}), 400, 'BadRequestError', 'cache_salt', /non-empty/],
    [
      'a priority without the policy',
      CHAT,
      chat({priority: 1}),
      400,
      'BadRequestError',
      'priority',
      /not enabled/,
    ],
    [
      'stream options without a stream',
      CHAT,
      chat({stream_options: {include_usage: true}}),
      400,
      'BadRequestError',
      'stream_options',
      /stream=True/,
    ],
    [
      'top_logprobs without logprobs',
      CHAT,
      chat({top_logprobs: 2}),
      400,
      'BadRequestError',
      'top_logprobs',
      /logprobs/,
    ],
    ['too many logprobs', TEXT, text({logprobs: 21}), 400, 'BadRequestError', 'logprobs', /max allowed: 20/],
    [
      'prompt_logprobs in a stream',
      TEXT,
      text({prompt_logprobs: 1, stream: true}),
      400,
      'BadRequestError',
      'prompt_logprobs',
      /stream=True/,
    ],
    ['a suffix', TEXT, text({suffix: 'x'}), 400, 'BadRequestError', 'suffix', /not currently supported/],
    ['an empty list of tools', CHAT, chat({tools: []}), 400, 'BadRequestError', 'tools', /empty list/],
    [
      'a tool choice without tools',
      CHAT,
      chat({tool_choice: 'auto'}),
      400,
      'BadRequestError',
      'tool_choice',
      /`tools` must be set/,
    ],
    [
      'tools without a parser',
      CHAT,
      chat({tools: [TOOL]}),
      400,
      'BadRequestError',
      'tool_choice',
      /--enable-auto-tool-choice/,
    ],
    [
      'an image',
      CHAT,
      {messages: [{role: 'user', content: [{type: 'image_url', image_url: {url: 'x'}}]}]},
      400,
      'BadRequestError',
      'messages',
      /not a multimodal model/,
    ],
    [
      'a conversation that is both finished and not',
      CHAT,
      chat({continue_final_message: true}),
      400,
      'BadRequestError',
      'continue_final_message',
      /both/,
    ],
    [
      'a tool that is no function',
      CHAT,
      chat({tools: [{type: 'x'}]}),
      400,
      'Bad Request',
      'tools.0.type',
      /function/,
    ],
    [
      'a tool choice that is no word of the API',
      CHAT,
      chat({tools: [TOOL], tool_choice: 'always'}),
      400,
      'BadRequestError',
      'tool_choice',
      /Invalid value.*always/,
    ],
    [
      'a tool choice that names no tool',
      CHAT,
      chat({tools: [TOOL], tool_choice: {type: 'function', function: {name: 'g'}}}),
      400,
      'BadRequestError',
      'tool_choice',
      /does not match any/,
    ],
    [
      'parameters that are no schema',
      CHAT,
      chat({
        tools: [{type: 'function', function: {name: 'f', parameters: {type: 'x'}}}],
        tool_choice: 'required',
      }),
      400,
      'BadRequestError',
      'tools',
      /Invalid function parameters: at #: 'type' "x" is unknown/,
    ],
    [
      'tools beside a form of the answer',
      CHAT,
      chat({tools: [TOOL], tool_choice: 'required', response_format: {type: 'json_object'}}),
      400,
      'BadRequestError',
      'tool_choice',
      /tools, not both/,
    ],
    [
      'a response format without its schema',
      CHAT,
      chat({response_format: {type: 'json_schema'}}),
      400,
      'BadRequestError',
      'response_format',
      /'json_schema' field must be provided/,
    ],
    [
      'a response format that is unknown',
      CHAT,
      chat({response_format: {type: 'yaml'}}),
      400,
      'BadRequestError',
      'response_format',
      /"yaml" is unknown/,
    ],
    [
      'a schema that is none',
      TEXT,
      text({response_format: {type: 'json_schema', json_schema: {name: 'x', schema: {type: 'strin'}}}}),
      400,
      'BadRequestError',
      'response_format',
      /Invalid JSON schema: at #: 'type' "strin" is unknown/,
    ],
    [
      'a schema that is no JSON',
      TEXT,
      text({structured_outputs: {json: '{'}}),
      400,
      'BadRequestError',
      'structured_outputs',
      /Invalid JSON schema/,
    ],
    [
      'two forms at once',
      TEXT,
      text({structured_outputs: {json: {}, regex: 'a'}}),
      400,
      'BadRequestError',
      'structured_outputs',
      /exactly one kind.*got 2/,
    ],
    [
      'two forms in two fields',
      TEXT,
      text({structured_outputs: {regex: 'a'}, response_format: {type: 'json_object'}}),
      400,
      'BadRequestError',
      'structured_outputs',
      /only use one kind/,
    ],
    [
      'no choice at all',
      TEXT,
      text({structured_outputs: {choice: []}}),
      400,
      'BadRequestError',
      'structured_outputs',
      /at least one/,
    ],
    [
      'a pattern with a look ahead',
      TEXT,
      text({structured_outputs: {regex: '(?=a)'}}),
      400,
      'BadRequestError',
      'structured_outputs',
      /Invalid regex.*not supported/,
    ],
    [
      'a grammar, which is not implemented',
      TEXT,
      text({structured_outputs: {grammar: 'root ::= "a"'}}),
      501,
      'NotImplementedError',
      'structured_outputs',
      /not implemented/,
    ],
    [
      'a structural tag, which is not implemented',
      TEXT,
      text({response_format: {type: 'structural_tag'}}),
      501,
      'NotImplementedError',
      'response_format',
      /not implemented/,
    ],
    [
      'a seed that is a fraction',
      TEXT,
      text({seed: 1.5}),
      400,
      'BadRequestError',
      'seed',
      /64 bits, got 1\.5/,
    ],
    [
      'a body that nests too deeply',
      TEXT,
      `{"prompt": ${'['.repeat(300)}${']'.repeat(300)}}`,
      400,
      'Bad Request',
      null,
      /more than 200 levels/,
    ],
    ['tokens of nothing', '/tokenize', {}, 400, 'Bad Request', null, /prompt/],
    [
      'text of tokens that are none',
      '/detokenize',
      {tokens: ['a']},
      400,
      'Bad Request',
      'tokens',
      /token ids/,
    ],
  ]
  for (const [what, path, body, status, type, param, message] of cases) {
    it(`answer ${what} with ${status} in vLLM's envelope`, async () => {
      const response = await server.post(path, body)
      const {error} = (await response.json()) as {error: Record<string, unknown>}
      expect(response.status).to.equal(status)
      expect(Object.keys(error)).to.deep.equal(['message', 'type', 'param', 'code'])
      expect(error['code']).to.equal(status)
      expect(error['type']).to.equal(type)
      expect(error['param']).to.equal(param)
      expect(error['message']).to.match(message)
    })
  }

  it('leave nothing running', () => {
    expect(server.app.inFlight.requests).to.equal(0)
  })

  it('answer another media type with 400 and its name', async () => {
    const response = await server.post(CHAT, 'Hi', {'content-type': 'text/plain'})
    expect(response.status).to.equal(400)
    const {error} = (await response.json()) as {error: {message: string}}
    expect(error.message).to.equal("Unsupported Media Type: Only 'application/json' is allowed")
  })

  it('answer a body beyond the limit with 413', async () => {
    const response = await server.post(TEXT, {prompt: 'x'.repeat(1_000_001)})
    expect(response.status).to.equal(413)
  })

  it("answer an unknown path in FastAPI's words", async () => {
    const response = await server.get('/v1/nothing')
    expect([response.status, await response.text()]).to.deep.equal([404, '{"detail":"Not Found"}'])
  })

  it("answer a wrong method in FastAPI's words", async () => {
    const response = await server.get(CHAT)
    expect([response.status, await response.text()]).to.deep.equal([405, '{"detail":"Method Not Allowed"}'])
    expect(response.headers.get('allow')).to.equal('POST')
  })
})

describe('an API key', () => {
  let server: EngineServer
  before(async () => {
    server = await serveEngine(
      scriptedEngine(() => [65]),
      {apiKeys: ['first', 'second']},
    )
  })
  after(() => server.close())

  const guarded = ['/v1/models', '/v1/unknown', '/%76%31/models', '/v1']
  for (const path of guarded) {
    it(`guards ${path}`, async () => {
      const response = await server.get(path)
      expect([response.status, await response.text()]).to.deep.equal([401, '{"error":"Unauthorized"}'])
    })
  }

  for (const header of ['Bearer second', 'bearer first', 'BEARER first']) {
    it(`opens to '${header}'`, async () => {
      expect((await server.get('/v1/models', {authorization: header})).status).to.equal(200)
    })
  }

  for (const header of [
    'Bearer third',
    'Basic first',
    'first',
    'Bearer',
    'Bearer firs',
    'Bearer first second',
  ]) {
    it(`stays shut to '${header}'`, async () => {
      expect((await server.get('/v1/models', {authorization: header})).status).to.equal(401)
    })
  }

  for (const path of ['/health', '/version', '/load', '/metrics', '/kvctl/state']) {
    it(`leaves ${path} open`, async () => {
      expect((await server.get(path)).status).to.equal(200)
    })
  }
})
