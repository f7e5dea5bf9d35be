import {expect} from 'chai'
import {CpuPool, type MemoryObject} from '../../../src/lib/tiers/cpu-pool.js'
import {readAhead} from '../../../src/lib/tiers/read-ahead.js'
import type {ChunkKey} from '../../../src/lib/tiers/storage-backend.js'

const LAYOUT = {format: 'KV_2LTD', tensors: [{dtype: 'bfloat16', shape: [2, 1, 8, 8]}]} as const
const keys = Array.from({length: 20}, (_, index): ChunkKey => ({
  text: `${index}`,
  hash: `${index}`,
  tokens: 8,
}))

describe('chunks that are read ahead', () => {
  let pool: CpuPool
  beforeEach(() => (pool = new CpuPool(2 ** 20)))
  const allocated = (): MemoryObject => pool.allocate(LAYOUT)!

  it('come in the order of their keys, eight being read at once, whichever is read first', async () => {
    const waiting = new Map<string, (object: MemoryObject) => void>()
    let most = 0
    const chunks = readAhead(keys, async ({text}) => {
      const object = new Promise<MemoryObject>(resolve => waiting.set(text, resolve))
      most = Math.max(most, waiting.size)
      // The last one asked for is there first.
      setImmediate(() => {
        const last = [...waiting.keys()].at(-1)!
        waiting.get(last)!(allocated())
        waiting.delete(last)
      })
      return object
    })
    let count = 0
    for await (const chunk of chunks) {
      chunk.release()
      count++
    }
    expect([count, most]).to.deep.equal([20, 8])
    expect(pool.objects).to.equal(0)
  })

  it('ask for their bytes one after the other, as soon as all of the one before is asked for or its read has ended', async () => {
    const asked: string[] = []
    const ended = new Set<string>()
    const chunks = readAhead(keys.slice(0, 6), async ({text}, turn) => {
      await turn.begins
      const before = String(Number(text) - 1)
      expect(text === '0' || asked.includes(before) || ended.has(before)).to.equal(true)
      // Every third is refused before it asks for anything.
      if (Number(text) % 3 !== 2) asked.push(text)
      if (Number(text) % 3 === 0) turn.end()
      await new Promise(resolve => setImmediate(resolve))
      ended.add(text)
      return allocated()
    })
    for await (const chunk of chunks) chunk.release()
    expect(asked).to.deep.equal(['0', '1', '3', '4'])
    expect(pool.objects).to.equal(0)
  })

  it('end at the first that is missing, and nothing behind it stays in memory', async () => {
    const held: MemoryObject[] = []
    for await (const chunk of readAhead(keys, async ({text}) => (text === '3' ? null : allocated())))
      held.push(chunk)
    expect(held).to.have.length(3)
    expect(pool.objects).to.equal(3)
  })

  it('are given back when nobody wants more of them', async () => {
    for await (const chunk of readAhead(keys, async () => allocated())) {
      chunk.release()
      break
    }
    expect(pool.objects).to.equal(0)
  })
})
