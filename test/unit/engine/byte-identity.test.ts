import {expect} from 'chai'
import fc from 'fast-check'
import type {BlockSource} from '../../../src/lib/engine/core/ports.js'
import {openCudaDriver, reserveCudaMemory, type PageReserve} from '../../../src/lib/memory/index.js'
import {expectSameAnswers, MAX_MODEL_LEN} from '../../support/byte-identity.js'
import {cudaStandIn} from '../../support/cuda/stand-in.js'
import {generation, range} from '../../support/engine-core.js'
import {answersAlone, EngineRig, rigPageBundleBytes} from '../../support/engine-rig.js'
import {describeWith} from '../../support/requires.js'
import {temporaryFolder} from '../../support/temporary.js'

describe('the same request', () => {
  it('is answered the same, byte by byte, however its KV cache was paged', function () {
    this.timeout(120_000)
    const {requests, cells, preemptions, movedBlocks, cachedTokens, shrunk} = expectSameAnswers({runs: 400})
    expect(requests).to.be.at.least(2000)
    for (const caching of [true, false]) {
      for (const chunks of [true, false]) {
        for (const atOnce of [1, 64]) {
          expect(cells).to.include(`caching ${caching}, chunks ${chunks}, at once ${atOnce}`)
        }
      }
    }
    expect(preemptions).to.be.above(100)
    expect(movedBlocks).to.be.above(100)
    expect(cachedTokens).to.be.above(1000)
    expect(shrunk, 'requests under a limit that fell').to.be.above(500)
  })

  describeWith(['gcc|cc'], 'on a GPU', () => {
    const folder = temporaryFolder()
    afterEach(() => delete process.env['KVCTL_TEST_CUDA_FOLDER'])

    it('is answered as on the CPU, while the limit falls and rises', function () {
      this.timeout(120_000)
      const driver = cudaStandIn(folder(), {granularity: rigPageBundleBytes})
      process.env['KVCTL_TEST_CUDA_FOLDER'] = driver.env['KVCTL_TEST_CUDA_FOLDER']
      const cuda = openCudaDriver(driver.library)
      const reserve: PageReserve = pages => reserveCudaMemory({...pages, device: 0}, cuda)
      const {requests, preemptions, movedBlocks} = expectSameAnswers({runs: 30, reserve, swings: true})
      expect(requests).to.be.at.least(150)
      expect(preemptions + movedBlocks).to.be.above(100)
      expect(driver.counters()).to.deep.include({physicalBytes: 0, handles: 0, wrongAbiCalls: 0})
    })

    it('says of damaged memory what it says of it on the CPU', () => {
      const driver = cudaStandIn(folder(), {granularity: rigPageBundleBytes})
      process.env['KVCTL_TEST_CUDA_FOLDER'] = driver.env['KVCTL_TEST_CUDA_FOLDER']
      const cuda = openCudaDriver(driver.library)
      const request = generation('r', range(7, 27), 12)
      /** A bit of the last row, or of an earlier one, turns after five steps. */
      const answer = (position: number | null, reserve?: PageReserve): number[] => {
        const rig = new EngineRig({numBlocks: 100, maxModelLen: MAX_MODEL_LEN, ...(reserve && {reserve})})
        rig.add(request)
        for (let step = 0; step < 5; step++) rig.step()
        if (position !== null) {
          const {blocks, computedTokens} = rig.core.sequence('r')!
          const at = position < 0 ? computedTokens + position : position
          const offset = [rig.memory.rowOffset(blocks[Math.floor(at / 4)]!, at % 4)]
          const byte = new Uint8Array(1)
          rig.memory.reservation.gather(offset, 1, 1, byte)
          byte[0]! ^= 1
          rig.memory.reservation.scatter(offset, 1, 1, byte)
        }
        rig.run()
        rig.close()
        return rig.answers.get('r')!
      }
      const sound = answer(null)
      for (const position of [-1, 3, 8, 14]) {
        const onHost = answer(position)
        if (position === -1) expect(onHost).not.to.deep.equal(sound)
        expect(answer(position, pages => reserveCudaMemory({...pages, device: 0}, cuda))).to.deep.equal(
          onHost,
        )
      }
    })

    it('is answered with one wait for the GPU a step, however many are', () => {
      const driver = cudaStandIn(folder(), {granularity: rigPageBundleBytes})
      process.env['KVCTL_TEST_CUDA_FOLDER'] = driver.env['KVCTL_TEST_CUDA_FOLDER']
      const cuda = openCudaDriver(driver.library)
      const list = range(0, 64).map(index => generation(`r${index}`, range(index, index + 20), 20))
      const rig = new EngineRig({
        ...{numBlocks: 2000, maxNumSeqs: 64, maxModelLen: MAX_MODEL_LEN, maxNumBatchedTokens: 256},
        reserve: pages => reserveCudaMemory({...pages, device: 0}, cuda),
      })
      for (const request of list) rig.add(request)
      const waits: number[] = []
      for (let isBusy = true; isBusy;) {
        const before = driver.counters()!.waits
        const {steps} = rig.core.totals
        isBusy = rig.step()
        // Housekeeping of this pool waits for nothing: pages are opened, none is given back before the last request ends.
        if (rig.core.totals.steps > steps && rig.core.scheduler.running.length === 64) {
          waits.push(driver.counters()!.waits - before)
        }
      }
      expect(waits.length).to.be.at.least(10)
      expect(new Set(waits)).to.deep.equal(new Set([1]))
      const expected = answersAlone(list, MAX_MODEL_LEN)
      for (const {id} of list) expect(rig.answers.get(id)).to.deep.equal(expected.get(id))
      rig.close()
    })
  })

  it('is answered the same alone and among 64 others', () => {
    const list = range(0, 64).map(index =>
      generation(`r${index}`, range(index, index + 20 + (index % 7)), 40),
    )
    const expected = answersAlone(list, MAX_MODEL_LEN)
    const rig = new EngineRig({
      numBlocks: 2000,
      maxNumSeqs: 64,
      maxModelLen: MAX_MODEL_LEN,
      maxNumBatchedTokens: 256,
    })
    for (const request of list) rig.add(request)
    const answers = rig.run()
    rig.close()
    for (const {id} of list) expect(answers.get(id)).to.deep.equal(expected.get(id))
  })

  it('says something else than another request', () => {
    const list = range(0, 50).map(index => generation(`r${index}`, [1, 2, 3, 10 + index], 10))
    const texts = new Set([...answersAlone(list, MAX_MODEL_LEN).values()].map(tokens => tokens.join(' ')))
    expect(texts.size).to.equal(50)
  })

  it('says something else by every seed, and the same by the same one', () => {
    const seeds = [null, ...range(-3, 4), 2 ** 32, 2 ** 40, 2 ** 40 + 1]
    const list = seeds.map((seed, index) => generation(`r${index}`, [1, 2, 3], 10, {seed}))
    const texts = [...answersAlone(list, MAX_MODEL_LEN).values()].map(tokens => tokens.join(' '))
    expect(new Set(texts).size).to.equal(seeds.length)
    expect([...answersAlone(list, MAX_MODEL_LEN).values()].map(tokens => tokens.join(' '))).to.deep.equal(
      texts,
    )
  })

  it('is answered differently when one block is given to two requests', () => {
    const list = range(0, 4).map(index => generation(`r${index}`, range(index * 50, index * 50 + 30), 40))
    const expected = answersAlone(list, MAX_MODEL_LEN)
    // The 20th block handed out is one that somebody already has.
    let count = 0
    const sourceOf = (source: BlockSource): BlockSource => ({
      ...source,
      take: wanted => source.take(wanted).map(id => (++count === 20 ? 3 : id)),
    })
    const rig = new EngineRig({
      numBlocks: 800,
      maxModelLen: MAX_MODEL_LEN,
      enablePrefixCaching: false,
      sourceOf,
    })
    for (const request of list) rig.add(request)
    for (let step = 0; step < 30; step++) rig.step()
    const same = list.filter(({id}) => {
      const got = rig.answers.get(id)!
      return got.join() === expected.get(id)!.slice(0, got.length).join()
    })
    rig.close()
    expect(same.length).to.be.below(list.length)
  })

  it('is answered differently after any one byte of its KV cache was flipped, when every row is checked', () => {
    const request = generation('r', range(7, 27), 12)
    const expected = answersAlone([request], MAX_MODEL_LEN).get('r')!
    fc.assert(
      fc.property(fc.nat(20 * 2 * 64 - 1), fc.integer({min: 0, max: 7}), (place, bit) => {
        const rig = new EngineRig({numBlocks: 100, maxModelLen: MAX_MODEL_LEN, verifyKv: true})
        rig.add(request)
        rig.step()
        // 20 rows of K and 20 of V, in blocks of 4
        const [row, byte] = [Math.floor(place / 64), place % 64]
        const [position, isValue] = [row >> 1, row & 1]
        const block = rig.core.sequence('r')!.blocks[Math.floor(position / 4)]!
        const offset = [rig.memory.rowOffset(block, position % 4) + isValue * rig.memory.valueDistance + byte]
        const damaged = new Uint8Array(1)
        rig.memory.reservation.gather(offset, 1, 1, damaged)
        damaged[0]! ^= 1 << bit
        rig.memory.reservation.scatter(offset, 1, 1, damaged)
        rig.run()
        rig.close()
        expect(rig.answers.get('r')).not.to.deep.equal(expected)
      }),
      {numRuns: 100},
    )
  })
})

describe('a limit that falls while requests run', () => {
  it('is met by evicting, preempting and moving, and every request is still answered', () => {
    const rig = new EngineRig({
      numBlocks: 640,
      maxNumSeqs: 64,
      maxModelLen: MAX_MODEL_LEN,
      maxNumBatchedTokens: 512,
    })
    const list = range(0, 32).map(index => generation(`r${index}`, range(index, index + 24), 60))
    for (const request of list) rig.add(request)
    for (let step = 0; step < 20; step++) rig.step()
    const before = rig.memory.reservation.residentBytes()
    const {inUse} = rig.memory.manager.pageCounts
    const limitPages = Math.ceil(inUse * 0.75)
    rig.limitBytes = limitPages * rigPageBundleBytes
    rig.step()

    const {inUse: inUseAfter, reserved} = rig.memory.manager.pageCounts
    expect(inUseAfter + reserved).to.be.at.most(limitPages)
    expect(rig.memory.reservation.residentBytes())
      .to.be.at.most(limitPages * rigPageBundleBytes)
      .and.below(before)
    expect(rig.core.scheduler.running.length, 'moving spares most of them').to.be.at.least(16)

    rig.run()
    const expected = answersAlone(list, MAX_MODEL_LEN)
    for (const {id} of list) expect(rig.answers.get(id)).to.deep.equal(expected.get(id))
    rig.close()
  })

  it('evicts what is only cached before it preempts anybody', () => {
    const rig = new EngineRig({numBlocks: 640, maxModelLen: MAX_MODEL_LEN})
    for (let index = 0; index < 8; index++)
      rig.add(generation(`old${index}`, range(index * 31, index * 31 + 60), 4))
    rig.run()
    expect(rig.core.scheduler.pool.counts.cachedFree).to.be.above(100)
    rig.add(generation('new', range(0, 30), 30))
    rig.step()
    rig.limitBytes = 2 * rigPageBundleBytes
    rig.step()
    expect(rig.memory.reservation.residentBytes()).to.be.at.most(2 * rigPageBundleBytes)
    expect(rig.core.scheduler.preemptions).to.equal(0)
    rig.close()
  })
})
