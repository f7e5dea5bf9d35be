import {writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {expect} from 'chai'
import {runCli, type CliResult} from '../support/cli.js'
import {readRows, type Row} from '../support/run-files.js'
import {temporaryFolder} from '../support/temporary.js'
import {startTruthServer} from '../support/truth.js'
import type {TruthEntry} from '../support/truth-server.js'

interface Message {
  readonly role: string
  readonly content: string
}

/** A request as the server read it, in the order of ids. */
interface Asked {
  readonly id: number
  readonly entry: TruthEntry
  readonly messages: readonly Message[]
  readonly maxTokens: number
}

describe('kvctl bench with a data set', function () {
  this.timeout(60_000)
  const folder = temporaryFolder()

  const write = async (name: string, text: string): Promise<string> => {
    const path = join(folder(), name)
    await writeFile(path, text)
    return path
  }

  /** Sends a workload to a server that counts words, and gives what it read. */
  async function send(...args: string[]): Promise<{asked: Asked[]; rows: Row[]; result: CliResult}> {
    const server = await startTruthServer({ttftMs: 5, gapMs: 1, tokens: 64, tokenizes: true})
    const run = join(folder(), 'run')
    const result = await runCli(
      ['load-test', '--url', server.url, '--warmup', '0', '--seed', '5', '--run-dir', run, ...args],
      {cwd: folder()},
    )
    const entries = (await server.stop()).filter(({requestId}) => requestId !== '')
    expect(result.code, result.stderr).to.equal(0)
    const asked = entries.map(entry => ({
      id: Number(entry.requestId.split('-').at(-1)),
      entry,
      messages: (entry.body['messages'] ?? []) as Message[],
      maxTokens: entry.body['max_tokens'] as number,
    }))
    return {asked: asked.sort((left, right) => left.id - right.id), rows: await readRows(run), result}
  }

  const words = (text: string): string[] => text.split(' ')
  /** Times of sending since the first, ms, by id. */
  const sentMs = (rows: readonly Row[], column = 'scheduled_ms'): number[] => {
    const inOrder = [...rows].sort((left, right) => Number(left['id']) - Number(right['id']))
    return inOrder.map(row => Number(row[column]) - Number(inOrder[0]![column]))
  }

  it('synthetic: lengths of prompts and answers are drawn as asked, and counted by the server', async () => {
    const {asked, rows} = await send(
      '--requests',
      '40',
      '--input-tokens',
      '20:60',
      '--output-tokens',
      'choice(1:3,1:9)',
    )
    const lengths = asked.map(({entry}) => entry.promptTokens)
    expect(Math.min(...lengths)).to.be.within(20, 30)
    expect(Math.max(...lengths)).to.be.within(50, 60)
    expect(new Set(asked.map(({maxTokens}) => maxTokens))).to.deep.equal(new Set([3, 9]))
    const byId = new Map(asked.map(({id, maxTokens, entry}) => [id, [entry.promptTokens, maxTokens]]))
    for (const row of rows) {
      expect([Number(row['prompt_tokens']), Number(row['completion_tokens'])]).to.deep.equal(
        byId.get(Number(row['id'])),
      )
    }
    expect(
      new Set(asked.map(({messages}) => words(messages[0]!.content).slice(0, 6).join(' '))).size,
    ).to.equal(40)
  })

  it('shared-prefix: requests of a group begin alike, and no two groups do', async () => {
    const {asked} = await send(
      ...['--dataset', 'shared-prefix', '--prefix-groups', '3', '--prefix-tokens', '50'],
      ...['--input-tokens', '12', '--requests', '18', '--max-tokens', '2'],
    )
    const prefixes = asked.map(({messages}) => words(messages[0]!.content).slice(0, 50).join(' '))
    expect(new Set(prefixes).size).to.equal(3)
    for (const [index, prefix] of prefixes.entries()) expect(prefix).to.equal(prefixes[index % 3])
    expect(new Set(asked.map(({messages}) => messages[0]!.content)).size).to.equal(18)
    expect(new Set(asked.map(({entry}) => entry.promptTokens))).to.deep.equal(new Set([62]))
  })

  it('multi-turn: each turn repeats the talk before it, and comes after its answer and a pause', async () => {
    const {asked, rows} = await send(
      ...['--dataset', 'multi-turn', '--turns', '3', '--prefix-tokens', '20', '--input-tokens', '10'],
      ...['--output-tokens', '4', '--think-time', '40ms', '--requests', '12', '--concurrency', '2'],
    )
    expect(asked).to.have.length(12)
    for (const [index, {messages, id}] of asked.entries()) {
      const turn = index % 3
      const roles = ['system', 'user', ...Array.from({length: turn}, () => ['assistant', 'user']).flat()]
      expect(messages.map(({role}) => role)).to.deep.equal(roles)
      if (turn === 0) continue
      const before = asked[index - 1]!
      expect(messages.slice(0, before.messages.length)).to.deep.equal(before.messages)
      const row = rows.find(one => one['id'] === String(id))!
      const earlier = rows.find(one => one['id'] === String(id - 1))!
      expect(Number(row['start_ms'])).to.be.at.least(Number(earlier['end_ms']))
    }
    expect(new Set(asked.map(({messages}) => messages[0]!.content)).size, 'one system prompt').to.equal(1)
  })

  it("multi-turn, live: the server's own answers stand between the questions", async () => {
    const {asked} = await send(
      ...['--dataset', 'multi-turn', '--turns', '3', '--history', 'live', '--input-tokens', '6', '--first-input-tokens', '9'],
      ...['--private-tokens', '5', '--max-tokens', '3', '--requests', '6', '--concurrency', '2'],
    ) // prettier-ignore
    expect(asked).to.have.length(6)
    for (const [index, {messages}] of asked.entries()) {
      const turn = index % 3
      const said = messages.filter(({role}) => role === 'assistant').map(({content}) => content)
      // What the server of known times says in three tokens.
      expect(said).to.deep.equal(Array(turn).fill(' t0 t1 t2'))
      const lengths = messages.filter(({role}) => role === 'user').map(({content}) => words(content).length)
      expect(lengths.slice(1)).to.deep.equal(Array(turn).fill(6))
      const before = asked[index - 1]?.messages
      if (turn > 0) expect(messages.slice(0, before!.length)).to.deep.equal(before)
    }
    expect(new Set(asked.map(({messages}) => messages[0]!.content)).size, 'a system prompt each').to.equal(2)
  })

  it('agentic: a question is asked again with each call of a tool and its result, and answered then', async () => {
    const {asked, rows} = await send(
      ...['--dataset', 'agentic', '--turns', '2', '--tool-calls', '2', '--prefix-tokens', '12', '--input-tokens', '8'],
      ...['--tool-result-tokens', '20', '--output-tokens', '4', '--tool-delay', '10ms', '--think-time', '10ms'],
      ...['--requests', '12', '--concurrency', '2', '--ignore-eos'],
    ) // prettier-ignore
    const step = ['assistant', 'tool']
    const roles = [
      ['system', 'user'],
      ['system', 'user', ...step],
      ['system', 'user', ...step, ...step],
    ]
    const later = [...roles[2]!, 'assistant', 'user']
    const all = [...roles, later, [...later, ...step], [...later, ...step, ...step]]
    for (const [index, {messages, entry}] of asked.entries()) {
      expect(messages.map(({role}) => role)).to.deep.equal(all[index % 6])
      expect(entry.body).to.have.nested.property('tools[0].function.name', 'look_up')
      // The arguments of a call must come to their end.
      expect(entry.body).not.to.have.any.keys('ignore_eos', 'min_tokens')
      for (const [place, message] of messages.entries()) {
        const {role, content} = message
        if (role !== 'tool') continue
        expect(words(content)).to.have.length(20)
        const call = messages[place - 1] as unknown as {content: null; tool_calls: [{id: string}]}
        expect(call.content).to.equal(null)
        expect((message as unknown as {tool_call_id: string}).tool_call_id).to.equal(call.tool_calls[0].id)
      }
      if (index % 6 === 0) continue
      const [now, before] = [index, index - 1].map(place =>
        rows.find(row => row['id'] === String(place + 1))!,
      )
      expect(Number(now!['start_ms'])).to.be.at.least(Number(before!['end_ms']))
    }
  })

  it('draws lengths of prompts and answers together, and from a file', async () => {
    const pairs = await send('--length-pairs', '20,3:1;50,9:1', '--requests', '24')
    const seen = new Set(pairs.asked.map(({entry, maxTokens}) => `${entry.promptTokens} ${maxTokens}`))
    expect(seen).to.deep.equal(new Set(['20 3', '50 9']))
  })

  it('draws lengths from a file of lengths', async () => {
    const path = await write('lengths.txt', '11\n23, 37\n')
    const {asked} = await send(
      '--input-tokens',
      `empirical(${path})`,
      '--requests',
      '24',
      '--max-tokens',
      '2',
    )
    expect(new Set(asked.map(({entry}) => entry.promptTokens))).to.deep.equal(new Set([11, 23, 37]))
  })

  it('openai: whole bodies, but for the model and the streaming', async () => {
    const bodies = [
      {model: 'gpt', stream: false, messages: [{role: 'user', content: 'One.'}], max_tokens: 3, top_p: 0.3, stop: ['x']},
      {messages: [{role: 'system', content: 'Be brief.'}, {role: 'user', content: 'Two.'}], max_completion_tokens: 4},
    ] // prettier-ignore
    const path = await write('bodies.jsonl', bodies.map(body => JSON.stringify(body)).join('\n'))
    const {asked} = await send('--dataset', 'openai', '--dataset-path', path)
    expect(asked[0]!.entry.body).to.deep.include({
      model: 'truth',
      stream: true,
      max_tokens: 3,
      top_p: 0.3,
      stop: ['x'],
    })
    expect(asked.map(({messages, maxTokens}) => [messages, maxTokens])).to.deep.equal([
      [bodies[0]!.messages, 3],
      [bodies[1]!.messages, 4],
    ])
  })

  it('sharegpt: questions of conversations, answers as long as the recorded ones', async () => {
    const say = (from: string, value: string): object => ({from, value})
    const path = await write(
      'chats.json',
      JSON.stringify([
        {
          id: 'a',
          conversations: [say('human', 'How does a cache of keys work?'), say('gpt', 'x'.repeat(40))],
        },
        {
          id: 'b',
          conversations: [
            say('system', 'Be brief.'),
            say('human', 'What is a page of memory?'),
            say('gpt', 'y'.repeat(80)),
          ],
        },
        {id: 'too short', conversations: [say('human', 'Hi'), say('gpt', 'z'.repeat(80))]},
        {id: 'no answer', conversations: [say('human', 'Is anybody there at all?')]},
      ]),
    )
    const {asked} = await send('--dataset', 'sharegpt', '--dataset-path', path)
    const seen = asked.map(({messages, maxTokens}) => [messages[0]!.content, maxTokens])
    expect(seen.sort()).to.deep.equal([
      ['How does a cache of keys work?', 10],
      ['What is a page of memory?', 20],
    ])
  })

  it('jsonl: prompts, messages, turns, tools and bodies of their own, line by line', async () => {
    const lines = [
      {prompt: 'Count to three.', output_tokens: 3},
      {
        messages: [{role: 'user', content: 'What is the weather?'}],
        tools: [{type: 'function', function: {name: 'weather'}}],
      },
      {question: 'Why?', system: 'Answer as a child.', extra_body: {top_p: 0.5}},
      {turns: ['First.', 'Second.'], max_tokens: 2},
    ]
    const path = await write('mine.jsonl', lines.map(line => JSON.stringify(line)).join('\n'))
    const {asked} = await send('--dataset', 'jsonl', '--dataset-path', path, '--max-tokens', '5')
    expect(
      asked.map(({messages, maxTokens}) => [messages.map(({content}) => content), maxTokens]),
    ).to.deep.equal([
      [['Count to three.'], 3],
      [['What is the weather?'], 5],
      [['Answer as a child.', 'Why?'], 5],
      [['First.'], 2],
      [['First.', 'Second.'], 2],
    ])
    expect(asked[1]!.entry.body['tools']).to.deep.equal([{type: 'function', function: {name: 'weather'}}])
    expect(asked[2]!.entry.body['top_p']).to.equal(0.5)
  })

  const sharing = [
    {timestamp: 0, input_length: 30, output_length: 3, hash_ids: [0, 1, 2]},
    {timestamp: 300, input_length: 25, output_length: 4, hash_ids: [0, 1, 3]},
    {timestamp: 700, input_length: 18, output_length: 2, hash_ids: [9, 1]},
  ]
  const checkSharing = (asked: readonly Asked[], rows: readonly Row[], atMs: readonly number[]): void => {
    expect(asked.map(({entry, maxTokens}) => [entry.promptTokens, maxTokens])).to.deep.equal([
      [30, 3],
      [25, 4],
      [18, 2],
    ])
    const [one, two, three] = asked.map(({messages}) => words(messages[0]!.content))
    expect(two!.slice(0, 20)).to.deep.equal(one!.slice(0, 20))
    expect(two!.slice(20)).not.to.deep.equal(one!.slice(20, 25))
    expect(three!.slice(0, 10)).not.to.deep.equal(one!.slice(0, 10))
    for (const [index, at] of sentMs(rows).entries()) expect(at).to.be.closeTo(atMs[index]!, 0.01)
    for (const row of rows) expect(Number(row['start_ms'])).to.be.at.least(Number(row['scheduled_ms']))
  }

  it('mooncake: times in milliseconds, lengths, and the sharing of its blocks', async () => {
    const path = await write('trace.jsonl', sharing.map(line => JSON.stringify(line)).join('\n'))
    const args = ['--dataset', 'mooncake', '--dataset-path', path, '--block-tokens', '10', '--speedup', '2']
    const {asked, rows, result} = await send(...args)
    checkSharing(asked, rows, [0, 150, 350])
    expect(result.stderr).to.contain('trace arrivals')
  })

  it('mooncake, extended: messages and texts as they are, turns told in part or whole, tools, a part of its time', async () => {
    const user = (content: string): object => ({role: 'user', content})
    const tools = [{type: 'function', function: {name: 'clock'}}]
    const lines = [
      {timestamp: 0, text_input: 'Before the part.', output_length: 2},
      {timestamp: 1000, session_id: 'a', messages: [user('First.')], output_length: 2, message_mode: 'delta'},
      {timestamp: 1100, text_input: 'Alone.', output_length: 3, tools, extra: {top_p: 0.2}},
      {timestamp: 1150, session_id: 'a', delay: 10, messages: [user('Second.')], output_length: 2, message_mode: 'delta'},
      {timestamp: 1200, session_id: 'b', messages: [user('Whole.'), user('Talk.')], output_length: 2},
      {timestamp: 9000, text_input: 'After the part.', output_length: 2},
    ] // prettier-ignore
    const path = await write('trace.jsonl', lines.map(line => JSON.stringify(line)).join('\n'))
    const part = ['--trace-start', '0.9s', '--trace-end', '5s', '--speedup', '4']
    const {asked, rows} = await send('--dataset', 'mooncake', '--dataset-path', path, ...part)
    expect(asked.map(({messages}) => messages.map(({content}) => content))).to.deep.equal([
      ['First.'],
      ['First.', 'Second.'],
      ['Alone.'],
      ['Whole.', 'Talk.'],
    ])
    expect(asked[2]!.entry.body).to.deep.include({tools, top_p: 0.2, max_tokens: 3})
    const starts = sentMs(rows.filter(row => row['turn'] === '0'))
    for (const [place, at] of [0, 25, 50].entries()) expect(starts[place]).to.be.closeTo(at, 0.01)
  })

  it('vllm-trace: the same with times in seconds', async () => {
    const inSeconds = sharing.map(line => JSON.stringify({...line, timestamp: line.timestamp / 1000}))
    const path = await write('timed.jsonl', inSeconds.join('\n'))
    const {asked, rows} = await send(
      '--dataset',
      'vllm-trace',
      '--dataset-path',
      path,
      '--block-tokens',
      '10',
    )
    checkSharing(asked, rows, [0, 300, 700])
  })

  it('azure: times of day with seven digits, lengths by the names of columns', async () => {
    const path = await write(
      'azure.csv',
      'TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46.6805900,37,4\n2023-11-16 18:15:46.9305900,21,2\n',
    )
    const {asked, rows} = await send('--dataset', 'azure', '--dataset-path', path)
    expect(asked.map(({entry, maxTokens}) => [entry.promptTokens, maxTokens])).to.deep.equal([
      [37, 4],
      [21, 2],
    ])
    expect(sentMs(rows)[1]).to.be.closeTo(250, 0.01)
  })

  it('burstgpt: seconds, columns wherever they stand, failed requests left out', async () => {
    const path = await write(
      'burst.csv',
      'Timestamp,Session ID,Model,Request tokens,Response tokens,Total tokens,Log Type\n' +
        '5,a,ChatGPT,24,3,27,API log\n5.1,b,ChatGPT,24,0,24,API log\n5.4,c,GPT-4,40,6,46,API log\n',
    )
    const {asked, rows} = await send('--dataset', 'burstgpt', '--dataset-path', path, '--speedup', '2')
    expect(asked.map(({entry, maxTokens}) => [entry.promptTokens, maxTokens])).to.deep.equal([
      [24, 3],
      [40, 6],
    ])
    expect(sentMs(rows)[1]).to.be.closeTo(200, 0.01)
  })

  it('puts headers, tools, schema and sampling into every request', async () => {
    const tools = await write('tools.json', JSON.stringify([{name: 'clock', parameters: {type: 'object'}}]))
    const schema = await write('schema.json', JSON.stringify({type: 'object'}))
    const {asked} = await send(
      ...[
        '--requests',
        '3',
        '--max-tokens',
        '2',
        '--header',
        'x-tenant=blue',
        '--tools',
        tools,
        '--json-schema',
        schema,
      ],
      ...['--top-k', '5', '--presence-penalty', '0.5', '--num-completions', '1'],
    )
    for (const {entry} of asked) {
      expect(entry.headers).to.contain('x-tenant: blue')
      expect(entry.body).to.deep.include({
        tools: [{type: 'function', function: {name: 'clock', parameters: {type: 'object'}}}],
        tool_choice: 'auto',
        response_format: {type: 'json_schema', json_schema: {name: 'answer', schema: {type: 'object'}}},
        top_k: 5,
        presence_penalty: 0.5,
      })
    }
  })

  it('says in one line what is wrong with a file', async () => {
    const path = await write('broken.jsonl', '{"prompt": "a"}\n{"prompt"\n')
    const {code, stderr} = await runCli(['bench', '--dry-run', '--dataset', 'jsonl', '--dataset-path', path])
    expect([code, stderr]).to.deep.equal([
      2,
      `Error: ${path} is no jsonl file: line 2 is no JSON\n  Try: kvctl bench --help shows what --dataset takes\n`,
    ])
  })
})
