import {closeSync, openSync, readFileSync, writeSync} from 'node:fs'
import {expect} from 'chai'
import {VirtualClock, type Clock} from '../../../src/lib/foundation/index.js'
import {
  awaitLimit,
  lookAtSegments,
  removeSegment,
  setLimit,
  type LimitChange,
} from '../../../src/lib/segments/index.js'
import {GIB, recordBytes, segmentFolder, type SegmentFolder} from '../../support/segments.js'

const {signal} = new AbortController()
const patience = {timeoutMs: 1000, signal}
const failureOf = async (action: Promise<unknown>): Promise<unknown> =>
  action.then(
    () => null,
    (error: unknown) => error,
  )

/** A clock on which something happens at the first sleep. */
function clockWith(event: () => void): Clock {
  const clock = new VirtualClock()
  return {
    nowNs: () => clock.nowNs(),
    async sleep(ms) {
      event()
      await clock.sleep(ms)
    },
  }
}

describe('setting a limit', () => {
  let folder: SegmentFolder
  beforeEach(() => (folder = segmentFolder()))
  afterEach(() => folder.remove())
  const set = async (limitBytes: bigint | null, isForced = false): Promise<LimitChange> =>
    setLimit(folder.store, 'vllm', {limitBytes, isForced}, patience)
  const rewrite = (path: string, bytes: Buffer): void => {
    const fd = openSync(path, 'r+')
    writeSync(fd, bytes, 0, 24, 0)
    closeSync(fd)
  }

  it('writes what was planned from the record under the lock', async () => {
    const path = folder.put('vllm', 8n * GIB, 6n * GIB)
    expect(await set(2n * GIB)).to.deep.include({name: 'vllm', outcome: 'pending', startupBytes: 8n * GIB})
    expect(readFileSync(path)).to.deep.equal(recordBytes(2n * GIB, 6n * GIB))
  })

  it('remembers the start-up total over shrinks and restores it', async () => {
    const path = folder.put('vllm', 8n * GIB)
    await set(2n * GIB)
    await set(GIB)
    expect(await failureOf(set(8n * GIB + 1n))).to.have.property('code', 'LIMIT_ABOVE_STARTUP')
    expect((await set(null)).limitBytes).to.equal(8n * GIB + 4096n)
    expect(readFileSync(path)).to.deep.equal(recordBytes(8n * GIB + 4096n))
    expect((await set(GIB)).startupBytes).to.equal(8n * GIB)
  })

  it('leaves the record alone when the plan is refused', async () => {
    const path = folder.put('vllm', 8n * GIB)
    expect(await failureOf(set(0n))).to.have.property('code', 'LIMIT_TOO_SMALL')
    expect(readFileSync(path)).to.deep.equal(recordBytes(8n * GIB))
  })

  it('waits until the engine holds no more than the limit', async () => {
    const path = folder.put('vllm', 8n * GIB, 6n * GIB)
    const change = await set(2n * GIB)
    const clock = clockWith(() => rewrite(path, recordBytes(2n * GIB, GIB, GIB)))
    expect(await awaitLimit(folder.store, change, {...patience, clock})).to.include({outcome: 'applied'})
  })

  it('stops waiting when the time is over, and says how much is still held', async () => {
    folder.put('vllm', 8n * GIB, 6n * GIB)
    const change = await set(2n * GIB)
    const error = await failureOf(awaitLimit(folder.store, change, {...patience, clock: new VirtualClock()}))
    expect(error).to.include({code: 'LIMIT_PENDING', exitCode: 4})
    expect((error as Error).message).to.contain('6.00 GB')
  })

  it('stops waiting for a limit that somebody else replaced', async () => {
    const path = folder.put('vllm', 8n * GIB, 6n * GIB)
    const change = await set(2n * GIB)
    const clock = clockWith(() => rewrite(path, recordBytes(3n * GIB, 6n * GIB)))
    expect(await failureOf(awaitLimit(folder.store, change, {...patience, clock}))).to.include({
      code: 'LIMIT_OVERRIDDEN',
    })
  })

  it('looks at named segments in the order given and at the rest by what is missing', async () => {
    folder.put('a', GIB)
    folder.put('b', GIB)
    const {looks, missing} = await lookAtSegments(folder.store, ['b', 'x', 'a', 'b'])
    expect(looks.map(({name}) => name)).to.deep.equal(['b', 'a', 'b'])
    expect(missing.map(({name, reason}) => [name, reason.code])).to.deep.equal([['x', 'SEGMENT_NOT_FOUND']])
  })

  it('repairs a segment that was deleted under its engine, which then re-created it with total 0', async () => {
    folder.put('vllm', 8n * GIB, GIB)
    await folder.store.list()
    await removeSegment(folder.store, 'vllm', {isForced: true, signal})
    const path = folder.put('vllm', 0n, GIB)
    expect(await folder.store.list()).to.deep.equal([])
    expect(await set(null)).to.include({limitBytes: 8n * GIB + 4096n})
    expect(readFileSync(path)).to.deep.equal(recordBytes(8n * GIB + 4096n, GIB))
  })

  it('removes a segment that nobody reads', async () => {
    folder.put('vllm', GIB)
    expect(await removeSegment(folder.store, 'vllm', {isForced: false, signal})).to.equal('vllm')
    expect(await failureOf(folder.store.read('vllm'))).to.have.property('code', 'SEGMENT_NOT_FOUND')
  })
})
