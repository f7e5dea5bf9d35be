import {expect} from 'chai'
import OpenAI from 'openai'
import {zodFunction, zodResponseFormat} from 'openai/helpers/zod'
import {z} from 'zod'
import {endEngine, startEngine} from '../support/engine-process.js'

const MODEL = 'm'
const messages = [{role: 'user' as const, content: 'What is the weather in Paris?'}]
const Weather = z.object({
  city: z.string().max(30),
  celsius: z.number().min(-60).max(60),
  sky: z.enum(['clear', 'cloudy', 'rain']),
  hours: z.array(z.object({at: z.int().min(0).max(23), wind: z.number().nullable()})).max(3),
})
const Place = z.object({city: z.string().max(20), unit: z.enum(['c', 'f'])})
const tool = {
  type: 'function' as const,
  function: {name: 'get_weather', parameters: z.toJSONSchema(Place) as Record<string, unknown>},
}

/** The client's types call the field deprecated; vLLM's users go on sending it. */
const seed = (number: number): object => ({seed: number})

describe("OpenAI's own client against kvctl engine", () => {
  let engine: Awaited<ReturnType<typeof startEngine>>
  let client: OpenAI
  before(async () => {
    engine = await startEngine(
      ...['--no-segment', '--served-model-name', MODEL, '--itl-ms', '0.2', '--api-key', 'secret'],
      ...['--enable-auto-tool-choice', '--tool-call-parser', 'hermes', '--tool-call-rate', '1'],
    )
    client = new OpenAI({baseURL: `${engine.url}/v1`, apiKey: 'secret', maxRetries: 0})
  })
  after(async () => {
    expect(await endEngine(engine.child, 'SIGTERM')).to.equal(0)
  })

  it('lists the model', async () => {
    const models = await client.models.list()
    expect(models.data.map(model => model.id)).to.deep.equal([MODEL])
  })

  it('chats, whole and streamed, with the same words', async () => {
    const whole = await client.chat.completions.create({
      model: MODEL,
      messages,
      max_completion_tokens: 20,
      ...seed(7),
    })
    const said = whole.choices[0]!.message.content
    expect(said).to.be.a('string').with.length.above(20)
    expect(whole.usage!.completion_tokens).to.be.at.most(20)

    const stream = client.chat.completions.stream({
      model: MODEL,
      messages,
      max_completion_tokens: 20,
      ...seed(7),
    })
    let streamed = ''
    stream.on('content', delta => (streamed += delta))
    const final = await stream.finalChatCompletion()
    expect(streamed).to.equal(said)
    expect(final.choices[0]!.message.content).to.equal(said)
    expect(final.choices[0]!.finish_reason).to.equal(whole.choices[0]!.finish_reason)
  })

  it('completes, whole and streamed with usage, with the same words', async () => {
    const body = {model: MODEL, prompt: 'Once upon a time', max_tokens: 24}
    const whole = await client.completions.create(body)
    const stream = await client.completions.create({
      ...body,
      stream: true,
      stream_options: {include_usage: true},
    })
    let streamed = ''
    let tokens = 0
    for await (const chunk of stream) {
      streamed += chunk.choices[0]?.text ?? ''
      tokens = chunk.usage?.completion_tokens ?? tokens
    }
    expect(streamed).to.equal(whole.choices[0]!.text)
    expect(tokens).to.equal(whole.usage!.completion_tokens)
  })

  it('answers n times in n ways, by seed in other ways, and greedily in one', async () => {
    const ask = async (body: object): Promise<string[]> => {
      const reply = await client.chat.completions.create({
        model: MODEL,
        messages,
        max_completion_tokens: 12,
        ...body,
      })
      return (reply as OpenAI.ChatCompletion).choices.map(choice => choice.message.content!)
    }
    const four = await ask({n: 4, seed: 1})
    expect(new Set(four).size).to.equal(4)
    expect(await ask({n: 4, seed: 1})).to.deep.equal(four)
    // Choice k is what the seed plus k says.
    expect(await ask({seed: 3})).to.deep.equal([four[2]])
    const greedy = await ask({temperature: 0})
    expect(await ask({temperature: 0, seed: 5})).to.deep.equal(greedy)
    expect(four).to.not.include(greedy[0])
  })

  it('parses a structured output by its zod schema, whole and streamed', async () => {
    const response_format = zodResponseFormat(Weather, 'weather')
    for (const number of [1, 2, 3, 4, 5]) {
      const reply = await client.chat.completions.parse({
        model: MODEL,
        messages,
        response_format,
        ...seed(number),
      })
      const {message, finish_reason} = reply.choices[0]!
      expect(finish_reason).to.equal('stop')
      expect(Weather.parse(message.parsed)).to.deep.equal(JSON.parse(message.content!))
    }
    const stream = client.chat.completions.stream({model: MODEL, messages, response_format})
    const final = await stream.finalChatCompletion()
    expect(Weather.parse(final.choices[0]!.message.parsed)).to.deep.equal(
      JSON.parse(final.choices[0]!.message.content!),
    )
  })

  it('gets any JSON object in JSON mode, and a cut one only with finish reason length', async () => {
    const response_format = {type: 'json_object' as const}
    const reply = await client.chat.completions.create({model: MODEL, messages, response_format})
    expect(JSON.parse(reply.choices[0]!.message.content!)).to.be.an('object')
    expect(reply.choices[0]!.finish_reason).to.equal('stop')
    const cut = await client.chat.completions.create({
      model: MODEL,
      messages,
      response_format,
      max_completion_tokens: 2,
    })
    expect(() => JSON.parse(cut.choices[0]!.message.content!) as unknown).to.throw(SyntaxError)
    expect(cut.choices[0]!.finish_reason).to.equal('length')
  })

  it('keeps to a choice and to a pattern', async () => {
    const ask = async (form: object): Promise<string> => {
      const body = {model: MODEL, prompt: 'Is it?', max_tokens: 40, structured_outputs: form}
      return (await client.completions.create(body)).choices[0]!.text
    }
    expect(await ask({choice: ['yes', 'no', 'perhaps']})).to.be.oneOf(['yes', 'no', 'perhaps'])
    expect(await ask({regex: '[A-Z]{3}-\\d{4}'})).to.match(/^[A-Z]{3}-\d{4}$/)
  })

  it('gets a required call with valid arguments, whole and streamed', async () => {
    const body = {model: MODEL, messages, tools: [tool], tool_choice: 'required' as const}
    const whole = await client.chat.completions.create(body)
    const stream = client.chat.completions.stream(body)
    const streamed = await stream.finalChatCompletion()
    const calls = [whole, streamed].map(reply => {
      const {message, finish_reason} = reply.choices[0]!
      expect(finish_reason).to.equal('tool_calls')
      return (message.tool_calls ?? []).map(call => {
        if (call.type !== 'function') throw new Error('not a function')
        expect(call.id).to.match(/^chatcmpl-tool-[0-9a-f]{32}$/)
        expect(call.function.name).to.equal('get_weather')
        return Place.parse(JSON.parse(call.function.arguments))
      })
    })
    expect(calls[0]).to.have.length.within(1, 2)
    expect(calls[1]).to.deep.equal(calls[0])
  })

  it('gets a call of the function it names', async () => {
    const tool_choice = {type: 'function' as const, function: {name: 'get_weather'}}
    const reply = await client.chat.completions.create({model: MODEL, messages, tools: [tool], tool_choice})
    const [call] = reply.choices[0]!.message.tool_calls!
    if (call?.type !== 'function') throw new Error('not a function')
    Place.parse(JSON.parse(call.function.arguments))
    expect(reply.choices[0]!.finish_reason).to.equal('stop')
  })

  it('runs tools until the model has no more to call', async () => {
    const asked: unknown[] = []
    const run = client.chat.completions.runTools(
      {
        model: MODEL,
        messages,
        max_completion_tokens: 200,
        tool_choice: 'auto',
        tools: [
          zodFunction({
            name: 'get_weather',
            parameters: Place,
            function: place => {
              asked.push(Place.parse(place))
              return `${place.city}: 20`
            },
          }),
        ],
      },
      {maxChatCompletions: 3},
    )
    await run.done()
    // The rate is 1, so that all 3 turns call.
    expect(asked.length).to.be.at.least(3)
    expect(run.messages.filter(message => message.role === 'tool')).to.have.length(asked.length)
  })

  it('hears of mistakes in its own error classes', async () => {
    const failure = async (promise: Promise<unknown>): Promise<unknown> =>
      promise.catch((error: unknown) => error)
    const stranger = new OpenAI({baseURL: `${engine.url}/v1`, apiKey: 'wrong', maxRetries: 0})
    expect(await failure(stranger.models.list())).to.be.instanceOf(OpenAI.AuthenticationError)
    const unknown = client.chat.completions.create({model: 'x', messages})
    expect(await failure(unknown)).to.be.instanceOf(OpenAI.NotFoundError)
    const schema = {type: 'json_schema' as const, json_schema: {name: 'x', schema: {type: 'strin'}}}
    const invalid = await failure(
      client.chat.completions.create({model: MODEL, messages, response_format: schema}),
    )
    expect(invalid).to.be.instanceOf(OpenAI.BadRequestError)
    expect((invalid as Error).message).to.include('"strin" is unknown')
  })
})
