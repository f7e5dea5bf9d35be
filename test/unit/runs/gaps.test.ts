import {expect} from 'chai'
import fc from 'fast-check'
import {readFileSync, rmSync, truncateSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {createRecordWriter, readGaps, type RunDirectory} from '../../../src/lib/runs/index.js'
import {requestRecord} from '../../support/records.js'
import {rejection} from '../../support/rejection.js'
import {temporaryFolder} from '../../support/temporary.js'

describe('gaps.bin', () => {
  const folder = temporaryFolder()
  const run = (): RunDirectory => ({path: folder(), runId: 'run'})
  const file = (): string => join(folder(), 'gaps.bin')

  async function write(...gaps: readonly (readonly number[])[]): Promise<void> {
    rmSync(file(), {force: true})
    rmSync(join(folder(), 'requests.csv'), {force: true})
    const writer = await createRecordWriter(run(), 0)
    await writer.append(
      gaps.map((values, index) => requestRecord({id: index + 1, gapsUs: Uint32Array.from(values)})),
    )
    await writer.close()
  }

  async function read(): Promise<{requests: Record<number, number[]>; isWhole: boolean | undefined}> {
    const requests: Record<number, number[]> = {}
    const summary = await readGaps(run(), (id, gapsUs) => (requests[id] = [...gapsUs]))
    return {requests, isWhole: summary?.isWhole}
  }

  it('holds the bytes that its description says', async () => {
    await write([20_000, 19_999])
    const bytes = readFileSync(file())
    const expected = [
      ...Buffer.from('KVCTLGAP'),
      ...[2, 0, 0, 0],
      ...[0xe8, 3, 0, 0], // 1000 ns
      ...[1, 0, 0, 0], // request 1
      ...[2, 0, 0, 0], // two gaps
      ...[4, 0, 0, 0], // four bytes: 40000 = 0b10_0111000_1000000 in three groups, and zigzag(−1) = 1
      ...[0xc0, 0xb8, 0x02, 0x01],
      ...[1, 0, 0, 0], // index: request 1
      ...[16, 0, 0, 0, 0, 0, 0, 0], // its frame begins after the header
      ...[32, 0, 0, 0, 0, 0, 0, 0], // the index begins at 16 + 12 + 4
      ...[1, 0, 0, 0],
      ...Buffer.from('KVCTLIDX'),
    ]
    expect([...bytes]).to.deep.equal(expected)
  })

  it('holds the tokens of every chunk where the server said so and some have several, and reads files without', async () => {
    const writer = await createRecordWriter(run(), 0)
    const gapsUs = Uint32Array.of(7, 8)
    const tokens = [null, Uint32Array.of(1, 1, 1), Uint32Array.of(3, 1, 200)]
    await writer.append(
      tokens.map((chunkTokens, index) => requestRecord({id: index + 1, gapsUs, chunkTokens})),
    )
    await writer.close()
    const read = async (): Promise<unknown[]> => {
      const seen: unknown[] = []
      await readGaps(run(), (id, gaps, counts) => seen.push([id, [...gaps], counts && [...counts]]))
      return seen
    }
    expect(await read()).to.deep.equal([
      [1, [7, 8], null],
      [2, [7, 8], null],
      [3, [7, 8], [3, 1, 200]],
    ])
    const bytes = readFileSync(file())
    expect([...bytes.subarray(16 + 2 * 14 + 4, 16 + 2 * 14 + 8)], 'the highest bit').to.deep.equal([
      2, 0, 0, 0x80,
    ])
    bytes[8] = 1
    writeFileSync(file(), bytes.subarray(0, 16 + 2 * 14))
    expect(await read()).to.deep.equal([
      [1, [7, 8], null],
      [2, [7, 8], null],
    ])
  })

  it('has an index that ascends by id, whatever the order of completion', async () => {
    const writer = await createRecordWriter(run(), 0)
    await writer.append([7, 3].map(id => requestRecord({id, gapsUs: Uint32Array.of(1)})))
    await writer.close()
    const bytes = readFileSync(file())
    const indexAt = Number(bytes.readBigUInt64LE(bytes.length - 20))
    expect(indexAt).to.equal(16 + 2 * (12 + 1))
    const entry = (at: number): number[] => [bytes.readUInt32LE(at), Number(bytes.readBigUInt64LE(at + 4))]
    expect([entry(indexAt), entry(indexAt + 12)]).to.deep.equal([
      [3, 16 + 12 + 1],
      [7, 16],
    ])
  })

  it('gives back any gaps', async () => {
    const gap = fc.oneof(fc.integer({min: 0, max: 200_000}), fc.constantFrom(0, 1, 2 ** 31, 2 ** 32 - 1))
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(gap, {minLength: 1, maxLength: 40}), {maxLength: 8}),
        async requests => {
          await write(...requests)
          const {requests: got, isWhole} = await read()
          expect(Object.values(got)).to.deep.equal(requests)
          expect(isWhole).to.equal(true)
        },
      ),
      {numRuns: 50},
    )
  })

  it('reads a request whose gaps do not fit one read', async () => {
    const many = Array.from({length: 3_000_000}, (_, index) => (index % 2) * 4_000_000_000)
    await write([1], many, [2])
    const lengths: number[] = []
    await readGaps(run(), (_, gapsUs) => lengths.push(gapsUs.length))
    expect(lengths).to.deep.equal([1, 3_000_000, 1])
  })

  it('reads every whole request of a file cut anywhere', async () => {
    await write([1000, 2000], [300], [70_000, 5, 5])
    const whole = readFileSync(file())
    const frameEnds = [16 + 12 + 4, 16 + 12 + 4 + 12 + 2, 16 + 12 + 4 + 12 + 2 + 12 + 3 + 3 + 1]
    for (let size = 16; size < whole.length; size++) {
      writeFileSync(file(), whole.subarray(0, size))
      const {requests, isWhole} = await read()
      expect(isWhole, `${size} bytes`).to.equal(false)
      expect(Object.keys(requests).length, `${size} bytes`).to.equal(
        frameEnds.filter(end => end <= size).length,
      )
    }
  })

  it('stops at a frame whose payload does not hold as many gaps as it says', async () => {
    await write([1000], [2000], [3000])
    const bytes = readFileSync(file())
    bytes[16 + 12 + 2 + 4] = 2
    writeFileSync(file(), bytes)
    expect(await read()).to.deep.equal({requests: {1: [1000]}, isWhole: false})
  })

  it('stops at a number that goes on for more bytes than any gap has', async () => {
    await write([1000], [2 ** 32 - 1])
    const bytes = readFileSync(file())
    bytes.fill(0x80, bytes.length - 20 - 24 - 5, bytes.length - 20 - 24)
    writeFileSync(file(), bytes)
    expect(await read()).to.deep.equal({requests: {1: [1000]}, isWhole: false})
  })

  it('does not reserve memory for a torn frame of absurd size', async () => {
    await write([1000])
    const frame = Buffer.alloc(12)
    frame.writeUInt32LE(9, 0)
    frame.writeUInt32LE(0xffff_ffff, 4)
    frame.writeUInt32LE(0xffff_ffff, 8)
    writeFileSync(file(), Buffer.concat([readFileSync(file()).subarray(0, 30), frame, Buffer.alloc(8 << 20)]))
    expect(await read()).to.deep.equal({requests: {1: [1000]}, isWhole: false})
  })

  it('is null where a run has none', async () => {
    expect(await readGaps(run(), () => undefined)).to.equal(null)
  })

  it('refuses other files and later versions', async () => {
    writeFileSync(file(), 'not a gaps file at all')
    expect(((await rejection(readGaps(run(), () => undefined))) as Error).message).to.match(
      /gaps\.bin is not a gaps file$/,
    )
    await write([1])
    const bytes = readFileSync(file())
    bytes[8] = 3
    writeFileSync(file(), bytes)
    expect(((await rejection(readGaps(run(), () => undefined))) as Error).message).to.match(/has version 3/)
    truncateSync(file(), 5)
    expect(await rejection(readGaps(run(), () => undefined))).to.include({
      code: 'RUN_UNREADABLE',
      exitCode: 2,
    })
  })
})
