import {expect} from 'chai'
import fc from 'fast-check'
import {createEngine, defaultEngineOptions, type Engine} from '../../../src/lib/engine/index.js'
import {silentLogger, VirtualClock} from '../../../src/lib/foundation/index.js'
import {createBuiltinTokenizer} from '../../../src/lib/tokens/index.js'
import type {EngineApp} from '../../../src/server/engine-app.js'
import {TOOL_FORMATS} from '../../../src/server/generation/tool-format.js'
import {buildEngineApp} from '../../support/engine-server.js'

const RUNS = 10_000
const MESSAGES = [{role: 'user', content: 'Hi'}]
const TOOL = {type: 'function', function: {name: 'f', parameters: {properties: {a: {type: 'string'}}}}}
const SCHEMA = {type: 'object', properties: {a: {type: 'array', items: {type: 'integer'}}}, required: ['a']}

const field = fc.constantFrom(
  ...[
    'model',
    'prompt',
    'messages',
    'max_tokens',
    'max_completion_tokens',
    'min_tokens',
    'n',
    'stop',
    'seed',
  ],
  ...[
    'stop_token_ids',
    'stream',
    'stream_options',
    'echo',
    'logprobs',
    'top_logprobs',
    'temperature',
    'top_p',
    'top_k',
  ],
  ...[
    'cache_salt',
    'tools',
    'tool_choice',
    'parallel_tool_calls',
    'response_format',
    'structured_outputs',
    'ignore_eos',
  ],
  ...[
    'truncate_prompt_tokens',
    'priority',
    'suffix',
    'tokens',
    'request_id',
    'include_stop_str_in_output',
    'min_p',
  ],
  ...['return_token_ids', 'add_generation_prompt', 'continue_final_message', 'prompt_logprobs', 'logit_bias'],
)
/** Values that mean something somewhere, and values that do not. */
const value = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.constantFrom<unknown>(
      ...[
        null,
        true,
        false,
        0,
        1,
        2,
        5,
        -1,
        1.5,
        1e300,
        '',
        'm',
        'Hi',
        'auto',
        'required',
        'none',
        '😀\ud800',
        [],
        {},
      ],
      ...[[[1, 2], [3]], ['a', 'b'], [65, 66], [256], MESSAGES, [TOOL], {include_usage: true}],
      ...[
        {type: 'function', function: {name: 'f'}},
        {type: 'json_object'},
        {type: 'text'},
        {choice: ['yes', 'no']},
      ],
      ...[
        {type: 'json_schema', json_schema: {name: 's', schema: SCHEMA}},
        {json: SCHEMA},
        {regex: '(a|b)+c{2}'},
      ],
      ...[{include_usage: true, continuous_usage_stats: true}, {65: 1}],
    ),
  },
  {weight: 1, arbitrary: fc.jsonValue({maxDepth: 3})},
)
const body = fc.oneof(
  {weight: 6, arbitrary: fc.dictionary(field, value, {maxKeys: 6}).map(rest => ({max_tokens: 9, ...rest}))},
  {
    weight: 6,
    arbitrary: fc
      .dictionary(field, value, {maxKeys: 5})
      .map(rest => ({messages: MESSAGES, prompt: 'Hi', max_tokens: 9, ...rest})),
  },
  {weight: 1, arbitrary: fc.jsonValue()},
)
const path = fc.constantFrom(
  ...['/v1/completions', '/v1/completions', '/v1/chat/completions', '/v1/chat/completions'],
  ...['/tokenize', '/detokenize', '/kvctl/lookup'],
)

describe('random request bodies', () => {
  let engine: Engine
  let app: EngineApp
  before(async () => {
    const {vocabulary} = createBuiltinTokenizer()
    engine = await createEngine({
      ...defaultEngineOptions(vocabulary, new VirtualClock(), silentLogger),
      numBlocks: 128,
      maxModelLen: 512,
    })
    app = buildEngineApp(engine, {model: {autoTools: {format: TOOL_FORMATS.hermes, share: 0.5}}})
    await app.http.ready()
  })
  after(async () => {
    await app.http.close()
    await engine.close()
  })

  it(`never cause a failure, a hang or a lost block, ${RUNS} of them`, async function () {
    this.timeout(180_000)
    const statuses = new Map<number, number>()
    await fc.assert(
      fc.asyncProperty(path, body, async (url, payload) => {
        const response = await app.http.inject({
          method: 'POST',
          url,
          headers: {'content-type': 'application/json'},
          payload: JSON.stringify(payload),
        })
        const {statusCode, payload: text} = response
        statuses.set(statusCode, (statuses.get(statusCode) ?? 0) + 1)
        expect(statusCode, JSON.stringify(payload)).to.be.oneOf([200, 400, 404, 501])
        if (statusCode !== 200) {
          const {error} = JSON.parse(text) as {error: {code: number; message: string}}
          expect(error.code).to.equal(statusCode)
          expect(error.message).to.be.a('string').that.is.not.empty
        } else if (text.startsWith('data: ')) {
          expect(text).to.match(/"finish_reason":"(stop|length|tool_calls)".*\n\ndata: \[DONE\]\n\n$/s)
        } else {
          JSON.parse(text)
        }
        expect(engine.stats().running + engine.stats().waiting, 'requests left').to.equal(0)
      }),
      {numRuns: RUNS},
    )
    expect(engine.isServing).to.equal(true)
    expect(engine.state().pool.usedBlocks, 'blocks left in use').to.equal(0)
    expect(app.inFlight.requests).to.equal(0)
    // Only worth something if many of them were answered, and many were not.
    expect(statuses.get(200)).to.be.above(RUNS / 10)
    expect(statuses.get(400)).to.be.above(RUNS / 10)
  })
})
