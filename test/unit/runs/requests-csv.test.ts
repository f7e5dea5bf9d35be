import {expect} from 'chai'
import {parse} from 'csv-parse/sync'
import fc from 'fast-check'
import {readFileSync, truncateSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {ConfigurationError} from '../../../src/lib/foundation/index.js'
import {
  claimRunDirectory,
  createRecordWriter,
  readRequests,
  REQUEST_COLUMNS,
  RequestCursor,
  requestLine,
  type RunDirectory,
} from '../../../src/lib/runs/index.js'
import {requestRecord} from '../../support/records.js'
import {rejection} from '../../support/rejection.js'
import {temporaryFolder} from '../../support/temporary.js'

const ORIGIN = 1_757_687_415_000
const UPSTREAM =
  'id,scheduled_ms,start_ms,ttfb_ms,tllt_ms,latency_ms,status,prompt_tokens,completion_tokens,total_tokens,error,trace_id'

function fields(line: string): Record<string, string> {
  const [values]: string[][] = parse(line)
  return Object.fromEntries(REQUEST_COLUMNS.map((name, index) => [name, values![index]!]))
}

describe('requests.csv', () => {
  const folder = temporaryFolder()
  const run = (): RunDirectory => ({path: folder(), runId: 'run'})
  const file = (): string => join(folder(), 'requests.csv')

  it("begins with upstream's twelve columns, unchanged", () => {
    expect(REQUEST_COLUMNS.slice(0, 12).join(',')).to.equal(UPSTREAM)
  })

  it('gives wall-clock times with microseconds and durations from the send', () => {
    expect(fields(requestLine(requestRecord(), ORIGIN))).to.include({
      id: '1',
      scheduled_ms: '1757687415008.000',
      start_ms: '1757687415010.000',
      ttfb_ms: '50.000', // 60 − 10
      tllt_ms: '150.000', // 160 − 10
      latency_ms: '155.000', // 165 − 10
      status: '200',
      total_tokens: '10', // 7 + 3
      ttft_ms: '100.000', // 110 − 10
      tpot_ms: '25.000', // (160 − 110) / (3 − 1)
      itl_max_ms: '30.000',
      send_lag_ms: '2.000', // 10 − 8
      connect_ms: '',
      error_type: '',
      end_ms: '1757687415165.000',
      chunk_count: '3',
    })
  })

  it('writes status 0 for a stream that broke after its 200, and keeps what the server said', () => {
    const line = requestLine(requestRecord({outcome: 'truncated', error: 'no [DONE]'}), ORIGIN)
    expect(fields(line)).to.include({
      status: '0',
      http_status: '200',
      error_type: 'truncated',
      error: 'no [DONE]',
    })
  })

  it('keeps the status of a refused request', () => {
    expect(fields(requestLine(requestRecord({outcome: 'http_5xx', status: 503}), ORIGIN))).to.include({
      status: '503',
    })
  })

  it('leaves unknown values empty', () => {
    const line = requestLine(
      requestRecord({
        outcome: 'not_sent',
        status: 0,
        sentAtMs: null,
        headAtMs: null,
        firstByteAtMs: null,
        roleAtMs: null,
        firstTokenAtMs: null,
        lastTokenAtMs: null,
        doneAtMs: null,
        gapsUs: new Uint32Array(0),
        chunkCount: 0,
        promptTokens: null,
        completionTokens: null,
        tokensSource: 'none',
        finishReason: null,
      }),
      ORIGIN,
    )
    expect(line).to.not.match(/null|NaN|undefined/)
    expect(fields(line)).to.include({
      start_ms: '',
      ttft_ms: '',
      latency_ms: '',
      completion_tokens: '',
      end_ms: '',
    })
  })

  it('survives any text in a field, as another CSV reader sees it', () => {
    fc.assert(
      fc.property(fc.string({unit: fc.constantFrom(',', '"', '\n', '\r', 'a', 'é', ' ')}), error => {
        const [values]: string[][] = parse(requestLine(requestRecord({outcome: 'reset', error}), ORIGIN))
        expect(values).to.have.length(REQUEST_COLUMNS.length)
        expect(values![10]).to.equal(error)
      }),
    )
  })

  it('is read back as it was written, whatever the failure texts hold', async () => {
    const texts = ['plain', 'a,b', 'said "no"', 'two\nlines', '"', '', 'é,"ü"\r\n']
    const writer = await createRecordWriter(run(), ORIGIN)
    await writer.append(
      texts.map((error, index) =>
        requestRecord({id: index + 1, outcome: 'stream_error', status: 200, error}),
      ),
    )
    await writer.close()
    const table = await readRequests(run(), ORIGIN)
    expect(table.count).to.equal(texts.length)
    expect([...table.errors.values()]).to.deep.equal(texts)
    const first = new RequestCursor(table).at(0)
    const {scheduledAtMs, sentAtMs, firstByteAtMs, firstTokenAtMs, lastTokenAtMs, doneAtMs} = requestRecord()
    expect(first).to.include({
      scheduledAtMs,
      sentAtMs,
      firstByteAtMs,
      firstTokenAtMs,
      lastTokenAtMs,
      doneAtMs,
    })
    expect(first).to.include({connectMs: null, completionTokens: 3, chunkCount: 3})
    expect(table.promptTokens[0]).to.equal(7)
  })

  it('keeps microseconds through the epoch times', async () => {
    const writer = await createRecordWriter(run(), ORIGIN + 0.123)
    await writer.append([
      requestRecord({scheduledAtMs: 3_600_000.001, sentAtMs: 3_600_000.002, doneAtMs: 3_600_000.005}),
    ])
    await writer.close()
    const table = await readRequests(run(), ORIGIN + 0.123)
    expect(table.scheduledAtUs[0]).to.equal(3_600_000_001)
    expect(table.doneAtUs[0]! - table.sentAtUs[0]!).to.equal(3)
  })

  it('reads rows that span its read buffer', async () => {
    const long = 'x,"'.repeat(500_000)
    const writer = await createRecordWriter(run(), ORIGIN)
    for (let id = 1; id <= 4; id++)
      await writer.append([requestRecord({id, outcome: 'reset', error: `${id}${long}`})])
    await writer.close()
    const table = await readRequests(run(), ORIGIN)
    expect([...table.errors.values()].map(text => text[0])).to.deep.equal(['1', '2', '3', '4'])
    expect([...table.errors.values()].every(text => text.length === 1_500_001)).to.equal(true)
  })

  it('reads files with columns in another order, CRLF, unknown columns and no trace id', async () => {
    writeFileSync(
      file(),
      'extra,status,latency_ms,start_ms,id,ttfb_ms,error\r\n' +
        'x,200,155.5,1757687415010,7,50,\r\n' +
        'y,0,300,1757687415020.25,8,,"ReadTimeout, after ""60s"""\r\n',
    )
    const table = await readRequests(run(), null)
    expect([...table.id]).to.deep.equal([7, 8])
    expect([...table.sentAtUs]).to.deep.equal([0, 10_250])
    expect(table.doneAtUs[0]).to.equal(155_500)
    expect(table.isFirstTokenFromFirstByte).to.equal(true)
    expect(table.firstTokenAtUs[0]).to.equal(50_000)
    expect(table.outcomeNames[table.outcome[1]!]).to.equal('exception')
    expect(table.errors.get(1)).to.equal('ReadTimeout, after "60s"')
  })

  it('reads is_cold_start of older files', async () => {
    writeFileSync(
      file(),
      'id,start_ms,latency_ms,status,is_cold_start\n1,1000,5,200,True\n2,1001,5,200,False\n',
    )
    const table = await readRequests(run(), null)
    expect(table.hasColdStarts).to.equal(true)
    expect([...table.isCold]).to.deep.equal([1, 0])
  })

  it('counts fields that are no numbers and takes them as unknown', async () => {
    writeFileSync(
      file(),
      'id,start_ms,latency_ms,status,completion_tokens\n1,1000,fast,200,1.5\n2,1e3,2e1,200,4.0\n',
    )
    const table = await readRequests(run(), null)
    expect(table.unreadableFields).to.equal(2)
    expect([...table.doneAtUs]).to.deep.equal([NaN, 20_000])
    expect([...table.completionTokens]).to.deep.equal([-1, 4])
  })

  it('leaves out a last row that a kill cut, even in its last field', async () => {
    const writer = await createRecordWriter(run(), ORIGIN)
    await writer.append([requestRecord({id: 1}), requestRecord({id: 2, cachedTokens: 12})])
    await writer.close()
    const {length} = readFileSync(file())
    for (const cut of [1, 2, 40]) {
      truncateSync(file(), length - cut)
      const table = await readRequests(run(), ORIGIN)
      expect([table.count, table.tornRows], `${cut} bytes cut`).to.deep.equal([1, 1])
    }
  })

  it('accepts a whole last row without line break in files of other tools', async () => {
    writeFileSync(file(), 'id,start_ms,latency_ms,status\n1,1000,5,200\n2,1001,5,200')
    expect((await readRequests(run(), null)).count).to.equal(2)
  })

  it('names the columns that a file lacks', async () => {
    writeFileSync(file(), 'id,status\n1,200\n')
    const error = await rejection(readRequests(run(), null))
    expect(error).to.be.instanceOf(ConfigurationError)
    expect((error as Error).message).to.match(/requests\.csv has no column start_ms, latency_ms$/)
  })

  it('tells an empty file from a missing one', async () => {
    expect(await rejection(readRequests(run(), null))).to.include({code: 'RUN_INCOMPLETE', exitCode: 4})
    writeFileSync(file(), '')
    expect(await rejection(readRequests(run(), null))).to.include({code: 'RUN_UNREADABLE', exitCode: 2})
  })

  it('refuses a second writer on the same run', async () => {
    const target = await claimRunDirectory(folder())
    const writer = await createRecordWriter(target, ORIGIN)
    await writer.close()
    expect(await rejection(createRecordWriter(target, ORIGIN))).to.include({exitCode: 4})
  })
})
