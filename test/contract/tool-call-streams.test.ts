import {expect} from 'chai'
import {createBuiltinTokenizer} from '../../src/lib/tokens/index.js'
import {TOOL_FORMATS} from '../../src/server/generation/tool-format.js'
import {serveEngine, type EngineServer} from '../support/engine-server.js'
import {scriptedEngine, type ScriptedEngine} from '../support/scripted-engine.js'

const tokenizer = createBuiltinTokenizer()
const MESSAGES = [{role: 'user', content: 'Hi'}]
const TOOLS = [{type: 'function', function: {name: 'f', parameters: {type: 'object'}}}]
const named = {type: 'function', function: {name: 'f'}}

function saying(text: string): ScriptedEngine {
  return scriptedEngine(() => tokenizer.encode(text))
}

describe('tool calls, as vLLM writes them', () => {
  let server: EngineServer | null = null
  afterEach(() => server?.close())

  async function stream(
    text: string,
    body: object,
  ): Promise<{deltas: unknown[]; finish: unknown; events: string[]}> {
    const engine = saying(text)
    server = await serveEngine(engine, {model: {autoTools: {format: TOOL_FORMATS.hermes, share: 1}}})
    const response = await server.post('/v1/chat/completions', {
      messages: MESSAGES,
      tools: TOOLS,
      stream: true,
      ...body,
    })
    expect(response.status).to.equal(200)
    await engine.run()
    const events = (await response.text()).split('\n\n').filter(event => event.startsWith('data: {'))
    const choices = events.map(event => {
      const chunk = JSON.parse(event.slice(6)) as {choices: {delta: object; finish_reason: string | null}[]}
      return chunk.choices[0]!
    })
    const deltas = choices.map(
      ({delta}) =>
        JSON.parse(JSON.stringify(delta).replaceAll(/chatcmpl-tool-[0-9a-f]{32}/g, 'ID')) as unknown,
    )
    return {deltas, finish: choices.at(-1)!.finish_reason, events}
  }

  async function whole(
    text: string,
    body: object,
  ): Promise<{message: Record<string, unknown>; finish: unknown}> {
    const engine = saying(text)
    server = await serveEngine(engine, {model: {autoTools: {format: TOOL_FORMATS.hermes, share: 1}}})
    const pending = server.post('/v1/chat/completions', {messages: MESSAGES, tools: TOOLS, ...body})
    while (engine.submitted.length === 0) await new Promise(resolve => setImmediate(resolve))
    await engine.run()
    const reply = JSON.parse(
      (await (await pending).text()).replaceAll(/chatcmpl-tool-[0-9a-f]{32}/g, 'ID'),
    ) as {
      choices: {message: Record<string, unknown>; finish_reason: string}[]
    }
    return {message: reply.choices[0]!.message, finish: reply.choices[0]!.finish_reason}
  }
  const call = (index: number, args: string): object => ({
    id: 'ID',
    type: 'function',
    index,
    function: {name: 'f', arguments: args},
  })
  const more = (index: number, args: string): object => ({index, function: {arguments: args}})
  const joined = (deltas: unknown[]): string =>
    deltas
      .flatMap(delta => (delta as {tool_calls?: {function: {arguments: string}}[]}).tool_calls ?? [])
      .map(one => one.function.arguments)
      .join('')

  it('a named function: its id and name with the first piece, then arguments alone, ended by stop', async () => {
    const {deltas, finish} = await stream('{"a": 12}', {tool_choice: named})
    expect(deltas[0]).to.deep.equal({role: 'assistant', content: ''})
    expect(deltas[1]).to.deep.equal({tool_calls: [call(0, '{"')]})
    for (const delta of deltas.slice(2, -1)) {
      const [piece] = (delta as {tool_calls: {function: {arguments: string}}[]}).tool_calls
      expect(delta).to.deep.equal({tool_calls: [more(0, piece!.function.arguments)]})
    }
    expect(joined(deltas)).to.equal('{"a": 12}')
    expect(finish).to.equal('stop')
  })

  it('a required call: the name with empty arguments, then arguments, ended by tool_calls; no event for the brackets', async () => {
    const {deltas, finish, events} = await stream('[{"name": "f", "parameters": {"a": 12}}]', {
      tool_choice: 'required',
    })
    expect(deltas[1]).to.deep.equal({tool_calls: [call(0, '')]})
    expect(joined(deltas)).to.equal('{"a": 12}')
    expect(deltas.at(-1)).to.deep.equal({})
    expect(finish).to.equal('tool_calls')
    expect(events.length).to.be.below(2 + tokenizer.encode('[{"name": "f", "parameters": {"a": 12}}]').length)
  })

  it('two calls: each with its index', async () => {
    const text = '[{"name": "f", "parameters": {}}, {"name": "f", "parameters": {"b": 1}}]'
    const {deltas} = await stream(text, {tool_choice: 'required'})
    const indices = deltas.flatMap(delta =>
      ((delta as {tool_calls?: {index: number; id?: string}[]}).tool_calls ?? []).map(one => [
        one.index,
        one.id,
      ]),
    )
    expect(indices.filter(([, id]) => id !== undefined)).to.deep.equal([
      [0, 'ID'],
      [1, 'ID'],
    ])
  })

  it('a chosen call: content before it as content, ended by tool_calls', async () => {
    const text = 'Let me see. <tool_call>\n{"name": "f", "arguments": {"a": "x"}}\n</tool_call>'
    const {deltas, finish} = await stream(text, {})
    const content = deltas.map(delta => (delta as {content?: string}).content ?? '').join('')
    expect(content).to.equal('Let me see. ')
    expect(joined(deltas)).to.equal('{"a": "x"}')
    expect(finish).to.equal('tool_calls')
  })

  it('no call: text as ever, ended by stop', async () => {
    const {deltas, finish} = await stream('a < b', {})
    expect(deltas.map(delta => (delta as {content?: string}).content ?? '').join('')).to.equal('a < b')
    expect(finish).to.equal('stop')
  })

  it('a call that was cut: ended by length, with what there is of its arguments', async () => {
    const text = '[{"name": "f", "parameters": {"a": 12345}}]'
    const max = tokenizer.encode('[{"name": "f", "parameters": {"a": ').length
    const {deltas, finish} = await stream(text, {tool_choice: 'required', max_tokens: max})
    expect('{"a": 12345}'.startsWith(joined(deltas))).to.equal(true)
    expect(finish).to.equal('length')
  })

  it('tokens that bring no text to show still bring their ids where those are asked for', async () => {
    const text = '[{"name": "f", "parameters": {}}]'
    const {events} = await stream(text, {tool_choice: 'required', return_token_ids: true})
    const ids = events.flatMap(event => {
      const chunk = JSON.parse(event.slice(6)) as {choices: {token_ids?: number[] | null}[]}
      return chunk.choices[0]!.token_ids ?? []
    })
    expect(ids).to.deep.equal(tokenizer.encode(text))
  })

  const wholes: [string, object, string, unknown, string[], string][] = [
    ['a named function', {tool_choice: named}, '{"a": 1}', '', ['{"a": 1}'], 'stop'],
    [
      'a required call',
      {tool_choice: 'required'},
      '[{"name": "f", "parameters": {"a": 1}}]',
      '',
      ['{"a": 1}'],
      'tool_calls',
    ],
    [
      'a chosen call',
      {},
      '<tool_call>\n{"name": "f", "arguments": {}}\n</tool_call>\n<tool_call>\n{"name": "f", "arguments": {"a": 1}}\n</tool_call>',
      null,
      ['{}', '{"a": 1}'],
      'tool_calls',
    ],
    ['no call', {tool_choice: 'auto'}, 'Hello', 'Hello', [], 'stop'],
    ['a call that may not be', {tool_choice: 'none'}, '{"name": "f"', '{"name": "f"', [], 'stop'],
  ]
  for (const [what, body, text, content, calls, reason] of wholes) {
    it(`${what}, in a whole reply`, async () => {
      const {message, finish} = await whole(text, body)
      expect(message['content']).to.equal(content)
      expect(message['tool_calls']).to.deep.equal(
        calls.map(args => ({id: 'ID', type: 'function', function: {name: 'f', arguments: args}})),
      )
      expect(finish).to.equal(reason)
    })
  }

  it('shows the model which tools there are: they are part of the prompt', async () => {
    const engine = saying('{}')
    server = await serveEngine(engine)
    const ask = async (body: object): Promise<void> => {
      const pending = server!.post('/v1/chat/completions', {messages: MESSAGES, ...body})
      while (engine.unfinished === 0) await new Promise(resolve => setImmediate(resolve))
      await engine.run()
      await pending
    }
    await ask({})
    await ask({tools: TOOLS, tool_choice: named})
    const prompts = engine.submitted.map(request => tokenizer.decode(request.promptTokens))
    expect(prompts[0]).to.not.include('"name":"f"')
    expect(prompts[1]).to.include('"name":"f"')
    expect(engine.submitted.map(request => request.startGuide !== null)).to.deep.equal([false, true])
  })
})
