import {readFile} from 'node:fs/promises'
import {createServer, type AddressInfo, type Socket} from 'node:net'
import {once} from 'node:events'
import {join} from 'node:path'
import {expect} from 'chai'
import {readGaps} from '../../src/lib/runs/index.js'
import {runCli} from '../support/cli.js'
import {readRows, type Row} from '../support/run-files.js'
import {temporaryFolder} from '../support/temporary.js'
import {truthServers} from '../support/truth-servers.js'
import type {TruthEntry, TruthOptions} from '../support/truth-server.js'

interface Results {
  readonly requests: {readonly total: number; readonly success: number}
  readonly metrics: Readonly<
    Record<string, {readonly count?: number; readonly mean?: number; value?: number}>
  >
  readonly itl_estimated: boolean
  readonly warnings: readonly {readonly code: string; readonly message: string}[]
}
interface Measured {
  readonly results: Results
  readonly rows: readonly Row[]
  readonly log: readonly TruthEntry[]
}

describe('kvctl bench, asked for special requests,', function () {
  this.timeout(60_000)
  const folder = temporaryFolder()
  const startTruthServer = truthServers()
  const run = (): string => join(folder(), 'run')

  async function bench(server: Partial<TruthOptions>, ...args: string[]): Promise<Measured> {
    const truth = await startTruthServer({ttftMs: 10, gapMs: 3, tokens: 10, ...server})
    const how = ['--url', truth.url, '--warmup', '0', '--run-dir', run()]
    // 5 is a rule of the standard profile that a busy machine misses.
    const {code, stderr} = await runCli(['bench', ...how, ...args], {cwd: folder()})
    const log = (await truth.stop()).filter(({requestId}) => requestId !== '')
    expect(code, stderr).to.be.oneOf([0, 5])
    const results = JSON.parse(await readFile(join(run(), 'results.json'), 'utf8')) as Results
    return {results, rows: await readRows(run()), log}
  }
  const codes = ({results}: Measured): string[] => results.warnings.map(({code}) => code)

  for (const [mode, args] of [
    ['several_tokens', ['--exact-itl']],
    ['several_ids', ['--extra-body', '{"return_token_ids": true}']],
  ] as const) {
    it(`knows the tokens of every chunk (${mode}): itl is exact, and so is the first chunk in tpot`, async () => {
      const measured = await bench({modes: [mode]}, '--requests', '12', ...args)
      const {results, rows, log} = measured
      const told = new Map(log.map(entry => [Number(entry.requestId.split('-').at(-1)), entry.tokensIn]))
      let [gapSumUs, later] = [0, 0]
      await readGaps({path: run(), runId: 'run'}, (id, gapsUs, chunkTokens) => {
        expect([...chunkTokens!]).to.deep.equal(told.get(id))
        for (const [place, gapUs] of gapsUs.entries()) {
          gapSumUs += gapUs
          later += chunkTokens![place + 1]!
        }
      })
      expect(results.itl_estimated).to.equal(false)
      expect(results.metrics['itl']).to.include({count: later})
      expect(results.metrics['itl']!.mean).to.be.closeTo(gapSumUs / later / 1000, 1e-3)
      for (const row of rows) {
        const tokensIn = told.get(Number(row['id']))!
        expect(row['first_chunk_tokens']).to.equal(String(tokensIn[0]))
        const span = Number(row['tllt_ms']) - Number(row['ttft_ms'])
        expect(Number(row['tpot_ms'])).to.be.closeTo(span / (10 - tokensIn[0]!), 0.002)
      }
      expect(codes(measured)).not.to.include('exact_itl_unavailable')
    })
  }

  it('says where a server does not count the tokens of its chunks', async () => {
    const measured = await bench({modes: ['ok', 'several_tokens']}, '--requests', '8', '--exact-itl')
    const {message} = measured.results.warnings.find(({code}) => code === 'exact_itl_unavailable')!
    expect(message).to.contain('in 4 of 8 answers')
  })

  it('hangs up on the share that it is told to, and counts those as neither success nor failure', async () => {
    const measured = await bench(
      {ttftMs: 20, gapMs: 400},
      ...['--requests', '40', '--concurrency', '40', '--cancel-rate', '0.4', '--cancel-after', '250ms', '--max-tokens', '3'],
      ...['--seed', '3'],
    ) // prettier-ignore
    const {results, rows, log} = measured
    const cancelled = rows.filter(row => row['error_type'] === 'cancelled')
    expect(cancelled.length).to.be.within(6, 26)
    const success = 40 - cancelled.length
    expect(results.requests).to.deep.equal({total: success, success})
    expect(results.metrics['error_rate']!.value).to.equal(0)
    expect(codes(measured)).to.include('cancelled').and.not.include('requests_missing')
    const asked = new Map(log.map(entry => [entry.requestId, entry]))
    for (const row of cancelled) {
      expect(Number(row['chunk_count'])).to.be.below(3)
      // The server saw it leave: what it had still to write was never written.
      expect(asked.get(row['request_id']!)!.tokenMs.length).to.be.below(3)
    }
  })

  it('asks for lengths, sampling and conversations by the names it is told to use', async () => {
    const {log} = await bench(
      {tokens: 4, apiKey: 'sesame'},
      ...['--requests', '6', '--dataset', 'multi-turn', '--turns', '3', '--input-tokens', '4', '--max-tokens', '4'],
      ...['--length-key', 'max_completion_tokens', '--sampling-seed', '11', '--session-header', 'X-Session'],
      ...['--extra-body', '{"min_p": 0.25}', '--api-key', 'sesame', '--ignore-eos'],
    ) // prettier-ignore
    const sessions = log.map(({headers}) => /^x-session: (\S+)\r?$/m.exec(headers)![1]!)
    expect(new Set(sessions)).to.deep.equal(new Set(['run-1', 'run-4']))
    for (const {body, headers} of log) {
      expect(body).to.deep.include({max_completion_tokens: 4, seed: 11, min_p: 0.25, temperature: 0.8})
      expect(body).to.deep.include({ignore_eos: true, min_tokens: 4, stream_options: {include_usage: true}})
      expect(body).not.to.have.property('max_tokens')
      expect(headers).to.match(/^authorization: Bearer sesame\r?$/m)
      expect(headers).to.match(/^traceparent: 00-[0-9a-f]{32}-[0-9a-f]{16}-01\r?$/m)
      expect(headers).to.match(/^accept-encoding: identity\r?$/m)
    }
  })

  it('says when answers are not as long as they were to be', async () => {
    const measured = await bench({tokens: 6}, '--requests', '4', '--max-tokens', '20', '--ignore-eos')
    expect(measured.results.warnings.find(({code}) => code === 'osl_mismatch')!.message).to.contain('4 of 4')
  })

  it('opens a connection for each request where set-up is to be measured, outside the clock of the request', async () => {
    const {log, rows} = await bench({}, '--requests', '12', '--connections', 'per-request')
    expect(new Set(log.map(({port}) => port)).size).to.equal(12)
    for (const row of rows) expect(Number(row['connect_ms'])).to.be.above(0)
  })

  it('keeps a conversation with one of several servers, and spreads conversations over them', async () => {
    for (const order of ['in-turn', 'random']) {
      const servers = [await startTruthServer({tokens: 2}), await startTruthServer({tokens: 2})]
      const args = ['--url', servers[0]!.url, '--url', servers[1]!.url, '--url-order', order, '--seed', '1']
      const talk = ['--dataset', 'multi-turn', '--turns', '2', '--input-tokens', '4', '--requests', '32']
      const where = join(folder(), order)
      const {code, stderr} = await runCli([
        'load-test',
        ...args,
        ...talk,
        '--warmup',
        '0',
        '--run-dir',
        where,
      ])
      expect(code, stderr).to.equal(0)
      const logs = await Promise.all(servers.map(async server => server.stop()))
      const sessions = logs.map(
        log =>
          new Set(log.flatMap(({requestId}) => requestId === '' ? [] : [(Number(requestId.split('-').at(-1)) - 1) >> 1])),
      ) // prettier-ignore
      const counts = sessions.map(({size}) => size)
      expect(counts[0]! + counts[1]!, 'each conversation on one server').to.equal(16)
      if (order === 'in-turn') expect(counts).to.deep.equal([8, 8])
      else expect(Math.min(...counts)).to.be.at.least(2)
      for (const row of await readRows(where)) {
        const place = sessions.findIndex(one => one.has((Number(row['id']) - 1) >> 1))
        expect([row['server'], row['turn']]).to.deep.equal([
          String(place),
          String((Number(row['id']) - 1) % 2),
        ])
      }
    }
  })

  it('asks the server to forget its prompts before anything is sent, by the route that it has', async () => {
    const asked: string[] = []
    const sockets = new Set<Socket>()
    const answer = (socket: Socket, head: string): void => {
      const path = head.split(' ')[1]!
      asked.push(path)
      const isKnown = path === '/flush_cache' || path === '/v1/models'
      const body = path === '/v1/models' ? '{"data":[{"id":"m"}]}' : '{}'
      socket.write(`HTTP/1.1 ${isKnown ? 200 : 404} X\r\ncontent-length: ${body.length}\r\n\r\n${body}`)
    }
    const server = createServer(socket => {
      sockets.add(socket)
      socket.on('error', () => socket.destroy())
      socket.on('data', bytes => answer(socket, bytes.toString('latin1')))
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const args = ['--url', url, '--requests', '1', '--warmup', '0', '--prompt', 'x', '--no-stream']
    await runCli(['load-test', ...args, '--reset-cache', '--run-dir', run()])
    for (const socket of sockets) socket.destroy()
    server.close()
    const order = asked.filter(path => path.endsWith('_cache') || path.endsWith('/completions'))
    expect(order).to.deep.equal(['/reset_prefix_cache', '/flush_cache', '/v1/chat/completions'])
  })
})
