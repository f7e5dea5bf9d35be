import {once} from 'node:events'
import {readFile, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {expect} from 'chai'
import {runCli, startCli} from '../support/cli.js'
import {readRows, untilRows} from '../support/run-files.js'
import {temporaryFolder} from '../support/temporary.js'
import {truthServers} from '../support/truth-servers.js'
import type {TruthEntry} from '../support/truth-server.js'

interface Message {
  readonly role: string
  readonly content: string
}

const idOf = ({requestId}: TruthEntry): number => Number(requestId.split('-').at(-1))
const messagesOf = ({body}: TruthEntry): readonly Message[] => body['messages'] as readonly Message[]
const lines = (values: readonly object[]): string => values.map(value => JSON.stringify(value)).join('\n')
const upTo = (count: number): number[] => Array.from({length: count}, (_, index) => index)

/** A file that says something else now is not the one that was planned with. */
async function expectRefusal(run: string, path: string): Promise<void> {
  const text = await readFile(path, 'utf8')
  await writeFile(path, text.replace('First', 'Other'))
  const {code, stderr} = await runCli(['load-test', '--resume', '--run-dir', run])
  await writeFile(path, text)
  expect(code).to.equal(2)
  expect(stderr).to.contain('talks.jsonl is not the file that the run was planned with')
}

describe('kvctl bench --resume of a data set', function () {
  this.timeout(60_000)
  const folder = temporaryFolder()
  const startTruthServer = truthServers()

  /** Ends a load by `signal` when some of its requests are on disk, resumes it, and gives what the server read, by id. */
  async function cutAndResume(
    signal: NodeJS.Signals,
    requests: number,
    ...args: readonly string[]
  ): Promise<ReadonlyMap<number, TruthEntry>> {
    const server = await startTruthServer({ttftMs: 150, gapMs: 2, tokens: 6, tokenizes: true})
    const run = join(folder(), 'run')
    const common = ['--url', server.url, '--warmup', '0', '--seed', '5', '--concurrency', '3']
    const child = startCli(['load-test', ...common, '--run-dir', run, ...args], {cwd: folder()})
    child.stderr!.resume()
    child.stdout!.resume()
    await untilRows(run, Math.round(requests / 3))
    child.kill(signal)
    await once(child, 'close')
    const before = (await readRows(run)).filter(row => row['error_type'] === '')
    expect(before.length, 'nothing was left to resume').to.be.below(requests)
    if (args.includes('talks.jsonl')) await expectRefusal(run, join(folder(), 'talks.jsonl'))
    // From another folder: the data set is where it was.
    const {code, stdout, stderr} = await runCli(['load-test', '--resume', '--run-dir', run, '--json'])
    expect(code, stderr).to.equal(0)
    expect(JSON.parse(stdout)).to.deep.include({requests: {total: requests, success: requests}})
    const rows = await readRows(run)
    expect(rows.map(row => Number(row['id'])).sort((a, b) => a - b)).to.deep.equal(
      upTo(requests).map(index => index + 1),
    )
    expect(JSON.parse(await readFile(join(run, 'meta.json'), 'utf8'))).to.include({status: 'complete'})

    const asked = new Map<number, TruthEntry>()
    const done = new Set(before.map(row => Number(row['id'])))
    for (const entry of (await server.stop()).filter(({requestId}) => requestId !== '')) {
      const earlier = asked.get(idOf(entry))
      if (earlier) {
        expect(entry.body, 'the same request').to.deep.equal(earlier.body)
        const isBegunAnew = args.includes('live')
        if (!isBegunAnew)
          expect(done.has(idOf(entry)), 'what had an answer is not asked again').to.equal(false)
      }
      asked.set(idOf(entry), entry)
    }
    return asked
  }

  it('goes on in the middle of conversations after SIGKILL, with what was said in them before', async () => {
    const asked = await cutAndResume(
      'SIGKILL',
      36,
      ...['--dataset', 'multi-turn', '--turns', '4', '--prefix-tokens', '8', '--input-tokens', '6:12'],
      ...['--think-time', '5ms', '--requests', '36'],
    )
    for (const [id, entry] of asked) {
      if ((id - 1) % 4 === 0) continue
      const before = messagesOf(asked.get(id - 1)!)
      expect(messagesOf(entry).slice(0, before.length)).to.deep.equal(before)
    }
  })

  it("begins conversations anew of which the server's own answers are not known any more", async () => {
    const asked = await cutAndResume(
      'SIGKILL',
      24,
      ...['--dataset', 'multi-turn', '--turns', '4', '--input-tokens', '6', '--history', 'live'],
      ...['--requests', '24', '--max-tokens', '3'],
    )
    for (const [id, entry] of asked) {
      const answers = messagesOf(entry).flatMap(({role, content}) => (role === 'assistant' ? [content] : []))
      expect(answers).to.deep.equal(Array((id - 1) % 4).fill(' t0 t1 t2'))
    }
  })

  it('keeps lengths, sharing and sessions of a trace after SIGTERM', async () => {
    const path = join(folder(), 'trace.jsonl')
    const rows = upTo(40).map(index => ({
      timestamp: index * 20,
      input_length: 30,
      output_length: 2 + (index % 4),
      hash_ids: [0, index >> 1, 100 + index],
      session_id: `s${index >> 1}`,
      delay: 5,
    }))
    await writeFile(path, lines(rows))
    const args = ['--dataset', 'mooncake', '--dataset-path', 'trace.jsonl', '--block-tokens', '10']
    const asked = await cutAndResume('SIGTERM', 40, ...args)
    const words = (id: number): string[] => messagesOf(asked.get(id)!)[0]!.content.split(' ')
    for (const [id, {body, promptTokens}] of asked) {
      expect([promptTokens, body['max_tokens']]).to.deep.equal([30, 2 + ((id - 1) % 4)])
      const shared = words(1 + 2 * ((id - 1) >> 1)).slice(0, 20)
      expect(words(id).slice(0, 20)).to.deep.equal(shared)
    }
  })

  it('keeps turns, tools and lengths of a file after SIGINT, and refuses another file', async () => {
    const talks = upTo(18).map(index => ({
      turns: [`First of ${index}.`, `Second of ${index}.`],
      tools: [{type: 'function', function: {name: `tool-${index}`}}],
      output_tokens: 1 + (index % 5),
    }))
    await writeFile(join(folder(), 'talks.jsonl'), lines(talks))
    const asked = await cutAndResume('SIGINT', 36, '--dataset', 'jsonl', '--dataset-path', 'talks.jsonl')
    for (const [id, entry] of asked) {
      const [talk, turn] = [(id - 1) >> 1, (id - 1) % 2]
      expect(messagesOf(entry).map(({content}) => content)).to.deep.equal(
        [`First of ${talk}.`, `Second of ${talk}.`].slice(0, turn + 1),
      )
      expect(entry.body).to.deep.include({tools: talks[talk]!.tools, max_tokens: talks[talk]!.output_tokens})
    }
  })
})
