import {setImmediate as nextTurn} from 'node:timers/promises'
import {expect} from 'chai'
import fc from 'fast-check'
import {ReadDelays} from '../../../src/lib/bench/read-delay.js'
import {MOST_READS, ReadQueue, type ReadTaker} from '../../../src/lib/bench/read-queue.js'

const LF = 10

const newQueue = (): ReadQueue => new ReadQueue(new ReadDelays(MOST_READS + 1, () => null))

/** Reads `length` bytes of value `number` at that many milliseconds, as one socket after another would, all into one buffer. */
function reader(
  queue: ReadQueue,
  taker: ReadTaker,
  isUrgent = true,
): (number: number, length: number) => void {
  const buffer = Buffer.alloc(300_000)
  return (number, length) => {
    buffer.fill(number % 256, 0, length)
    queue.add(taker, buffer, length, number, isUrgent)
    buffer.fill(255)
  }
}

interface Taken {
  readonly number: number
  readonly length: number
}

/** Notes what it takes, having seen that the bytes are those that were read. */
function noting(taken: Taken[], cost: () => void = () => undefined): ReadTaker {
  return {
    takeRead(bytes, start, end, nowMs) {
      expect(bytes[end]).to.equal(LF)
      const own = bytes.subarray(start, end)
      expect(own.every(byte => byte === nowMs % 256)).to.equal(true)
      taken.push({number: nowMs, length: own.length})
      cost()
    },
  }
}

describe('reads that wait to be taken', () => {
  it('are taken behind the poll that brought them, in order, with their stamps', async () => {
    const [queue, taken] = [newQueue(), [] as Taken[]]
    const read = reader(
      queue,
      noting(taken, () => expect(queue.isAfterPoll).to.equal(true)),
    )
    for (const number of [1, 2, 3]) read(number, 10 * number)
    expect(taken).to.deep.equal([])
    for (let turn = 0; turn < 3; turn++) await nextTurn()
    expect(taken).to.deep.equal([1, 2, 3].map(number => ({number, length: 10 * number})))
    expect(queue.isAfterPoll).to.equal(false)
  })

  it('are whole and in order however large they are and however many wait', () => {
    const length = fc.oneof(fc.integer({min: 1, max: 300}), fc.integer({min: 1, max: 70_000}))
    fc.assert(
      fc.property(fc.array(length, {minLength: 1, maxLength: 60}), lengths => {
        const [queue, taken] = [newQueue(), [] as Taken[]]
        const read = reader(queue, noting(taken))
        for (const [number, one] of lengths.entries()) read(number, one)
        queue.takeAll()
        expect(taken).to.deep.equal(lengths.map((one, number) => ({number, length: one})))
      }),
      {numRuns: 50},
    )
  })

  it('take turns with the reading of more, when they cost much', async () => {
    const [queue, taken] = [newQueue(), [] as Taken[]]
    const busy = (): void => {
      const untilMs = performance.now() + 0.2
      while (performance.now() < untilMs);
    }
    const read = reader(queue, noting(taken, busy))
    for (const number of [1, 2, 3]) read(number, 10)
    await nextTurn()
    expect(taken.map(({number}) => number)).to.deep.equal([1])
    read(4, 10)
    for (let turn = 0; turn < 3; turn++) await nextTurn()
    expect(taken.map(({number}) => number)).to.deep.equal([1, 2, 3, 4])
  })

  it('are all taken when one asks for it, also from within', () => {
    const [queue, taken] = [newQueue(), [] as Taken[]]
    const read = reader(
      queue,
      noting(taken, () => queue.takeAll()),
    )
    for (let number = 0; number < 5000; number++) read(number, 3)
    queue.takeAll()
    expect(taken.map(({number}) => number)).to.deep.equal(Array.from({length: 5000}, (_, number) => number))
  })

  it('go on when one of them cannot be taken', async () => {
    const [queue, taken] = [newQueue(), [] as Taken[]]
    const read = reader(queue, noting(taken))
    const broken = reader(queue, {
      takeRead: () => {
        throw new Error('broken')
      },
    })
    broken(1, 5)
    read(2, 5)
    expect(() => queue.takeAll()).to.throw('broken')
    await nextTurn()
    expect(taken.map(({number}) => number)).to.deep.equal([2])
  })

  it('wait for others in the middle of an answer, until there are enough or the first has waited for long', async () => {
    const [queue, taken] = [newQueue(), [] as Taken[]]
    const read = reader(queue, noting(taken), false)
    const manyTurns = async (): Promise<void> => {
      for (let turn = 0; turn < 40; turn++) await nextTurn()
    }
    for (let count = 1; count <= 31; count++) read(1, 5)
    await manyTurns()
    expect(taken).to.have.length(0)
    read(1, 5)
    await manyTurns()
    expect(taken).to.have.length(32)
    read(1, 5)
    read(11, 5)
    await manyTurns()
    expect(taken).to.have.length(32)
    read(12, 5)
    await manyTurns()
    expect(taken).to.have.length(35)
  })

  it('are taken with the first one that is urgent, in order', async () => {
    const [queue, taken] = [newQueue(), [] as Taken[]]
    reader(queue, noting(taken), false)(1, 5)
    await nextTurn()
    reader(queue, noting(taken))(2, 5)
    for (let turn = 0; turn < 2; turn++) await nextTurn()
    expect(taken.map(({number}) => number)).to.deep.equal([1, 2])
  })
})
