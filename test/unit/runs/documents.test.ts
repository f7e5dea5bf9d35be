import {expect} from 'chai'
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import {join} from 'node:path'
import {ResourceError} from '../../../src/lib/foundation/index.js'
import {
  createTimeSeriesWriter,
  readMeta,
  readTimeSeries,
  strictJson,
  writeFileAtomic,
  writeJsonAtomic,
  writeMeta,
  type RunDirectory,
} from '../../../src/lib/runs/index.js'
import {rejection} from '../../support/rejection.js'
import {temporaryFolder} from '../../support/temporary.js'

describe('documents of a run', () => {
  const folder = temporaryFolder()
  const run = (): RunDirectory => ({path: folder(), runId: 'run'})

  it('are refused rather than written with NaN or Infinity', async () => {
    const path = join(folder(), 'results.json')
    const error = await rejection(writeJsonAtomic(path, {performance: {p50_latency_ms: NaN}}))
    expect(error).to.be.instanceOf(RangeError)
    expect((error as Error).message).to.contain('p50_latency_ms')
    expect(existsSync(path)).to.equal(false)
    expect(() => strictJson([Infinity])).to.throw(RangeError)
  })

  it('are whole at every moment while they are replaced', async () => {
    const path = join(folder(), 'document')
    const texts = ['a'.repeat(300_000), 'b'.repeat(300_000)]
    await writeFileAtomic(path, texts[0]!)
    let isDone = false
    const writing = (async () => {
      for (let round = 0; round < 20; round++) await writeFileAtomic(path, texts[round % 2]!)
      isDone = true
    })()
    while (!isDone) {
      expect(texts).to.include(readFileSync(path, 'utf8'))
      await new Promise(setImmediate)
    }
    await writing
    expect(readdirSync(folder())).to.deep.equal(['document'])
  })

  it('leave nothing behind when they cannot be written', async () => {
    mkdirSync(join(folder(), 'taken'))
    writeFileSync(join(folder(), 'taken', 'x'), '')
    const error = await rejection(writeFileAtomic(join(folder(), 'taken'), 'text'))
    expect(error).to.be.instanceOf(ResourceError)
    expect((error as Error).message).to.contain(join(folder(), 'taken'))
    expect(readdirSync(folder())).to.deep.equal(['taken'])
  })

  it('say which file met a full disk', async function () {
    if (!existsSync('/dev/full')) this.skip()
    symlinkSync('/dev/full', join(folder(), 'timeseries.jsonl'))
    const writer = await createTimeSeriesWriter(run())
    const error = await rejection(writer.append({at_ms: 0}))
    expect(error).to.include({code: 'DISK_FULL', exitCode: 4})
    expect((error as Error).message).to.contain(join(folder(), 'timeseries.jsonl'))
    expect(await rejection(writer.close())).to.equal(error)
  })
})

describe('meta.json', () => {
  const folder = temporaryFolder()
  const run = (): RunDirectory => ({path: folder(), runId: 'run'})

  it('never holds a secret', async () => {
    await writeMeta(run(), {
      url: 'https://user:hunter2@host/v1',
      args: ['bench', '--api-key', 'hunter2', '--token=hunter2', '--max-tokens', '64'],
      plan: {
        api_key: 'hunter2',
        headers: {Authorization: 'Bearer hunter2'},
        max_tokens: 64,
        completion_tokens: 5,
      },
    })
    const text = readFileSync(join(folder(), 'meta.json'), 'utf8')
    expect(text).to.not.contain('hunter2')
    const meta = await readMeta(run())
    expect(meta.url).to.equal('https://[removed]@host/v1')
    expect(meta.args).to.deep.equal([
      'bench',
      '--api-key',
      '[removed]',
      '--token=[removed]',
      '--max-tokens',
      '64',
    ])
    expect(meta['plan']).to.deep.include({max_tokens: 64, completion_tokens: 5})
  })

  it("reads upstream's own form, with null for what it does not say", async () => {
    writeFileSync(
      join(folder(), 'meta.json'),
      JSON.stringify({
        url: 'http://x',
        model: 'm',
        prompt: 'Hello, world!',
        max_tokens: 64,
        concurrency: 10,
        requests: 200,
        pattern: 'steady',
        duration_sec: 10,
        target_rps: 20,
        test_start_time: 1757687415.25,
      }),
    )
    expect(await readMeta(run())).to.deep.include({
      requests: 200,
      test_start_time: 1757687415.25,
      seed: null,
      status: 'complete',
    })
  })

  it('names the file and the key that is wrong', async () => {
    writeFileSync(join(folder(), 'meta.json'), JSON.stringify({concurrency: 'ten'}))
    const error = await rejection(readMeta(run()))
    expect(error).to.include({code: 'RUN_UNREADABLE', exitCode: 2})
    expect((error as Error).message).to.match(/meta\.json is not readable: .*concurrency/)
    expect((error as Error).message).to.not.contain('\n')
    writeFileSync(join(folder(), 'meta.json'), '{"torn')
    expect(await rejection(readMeta(run()))).to.include({code: 'RUN_UNREADABLE'})
  })

  it('is missed by name', async () => {
    expect(await rejection(readMeta(run()))).to.include({code: 'RUN_INCOMPLETE', exitCode: 4})
  })
})

describe('timeseries.jsonl', () => {
  const folder = temporaryFolder()
  const run = (): RunDirectory => ({path: folder(), runId: 'run'})

  it('gives back its samples and leaves out a torn line', async () => {
    const samples = [
      {at_ms: 0, segments: [{name: 'kvctl', limit_bytes: 8, used_bytes: 4, prealloc_bytes: 0}]},
      {at_ms: 1000.5, event: {name: 'limit', detail: '8 to 4 bytes'}},
    ]
    const writer = await createTimeSeriesWriter(run())
    await Promise.all(samples.map(sample => writer.append(sample)))
    await writer.close()
    appendFileSync(join(folder(), 'timeseries.jsonl'), '{"at_ms": 20')
    const got = []
    for await (const sample of readTimeSeries(run())) got.push(sample)
    expect(got).to.deep.equal(samples)
  })

  it('is empty where a run has none', async () => {
    for await (const sample of readTimeSeries(run())) expect.fail(`got ${JSON.stringify(sample)}`)
  })
})
