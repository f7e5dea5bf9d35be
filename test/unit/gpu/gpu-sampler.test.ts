import {expect} from 'chai'
import {VirtualClock} from '../../../src/lib/foundation/index.js'
import {createGpuSampler, type GpuOrder, type GpuReport, type GpuSampler} from '../../../src/lib/gpu/index.js'
import {unreadGpu} from '../../../src/lib/gpu/gpu-session.js'
import type {Worker} from '../../../src/lib/processes/index.js'
import {rejection} from '../../support/rejection.js'

const SECOND_NS = 1e9
const RETRY_MS = 30_000
const driver = {problem: null, driverVersion: '550', nvmlVersion: null, cudaVersion: null}
const read = (index: number): GpuReport => {
  const gpu = unreadGpu(index, 'ok', 'no_data')
  return {kind: 'gpu', gpu: {...gpu, uuid: `GPU-${index}`, unavailable: {}}}
}

/** What a process answers to a look: reports, and whether it then falls silent or ends. */
type Script = (skip: readonly number[]) => readonly (GpuReport | 'hang' | 'die')[]

const answering =
  (count: number, ends: Readonly<Record<number, 'hang' | 'die'>> = {}): Script =>
  skip => [
    {kind: 'driver', driver: {...driver, state: 'ok'}, count},
    ...Array.from({length: count}, (_, index) => index)
      .filter(index => !skip.includes(index))
      .map(index => ends[index] ?? read(index)),
    {kind: 'done'},
  ]

describe('the GPU sampler', () => {
  let clock: VirtualClock
  let script: Script
  let started: number
  let abandoned: number
  let skips: (readonly number[])[]
  let sampler: GpuSampler

  const startProcess = (): Worker<GpuOrder, GpuReport> => {
    started++
    const orders: (readonly number[])[] = []
    let wake: () => void = () => undefined
    return {
      pid: 1,
      send(order) {
        if (order.kind !== 'look') return
        skips.push(order.skip)
        orders.push(order.skip)
        wake()
      },
      async *reports() {
        for (;;) {
          const order = orders.shift()
          if (!order) {
            await new Promise<void>(resolve => (wake = resolve))
            continue
          }
          for (const part of script(order)) {
            if (part === 'die') throw new Error('the process is gone')
            if (part === 'hang') await new Promise(() => undefined)
            else yield part
          }
        }
      },
      stop: async () => undefined,
      abandon: () => abandoned++,
    }
  }
  const states = async (): Promise<string[]> => (await sampler.look()).gpus.map(({state}) => state)

  beforeEach(() => {
    clock = new VirtualClock()
    ;[started, abandoned, skips] = [0, 0, []]
    sampler = createGpuSampler({
      startProcess,
      clock,
      patienceMs: 20,
      retryMs: RETRY_MS,
      healthMs: 0,
      libraryPath: null,
      pciFolder: '/nowhere',
    })
  })

  it('keeps one process for all looks and shares one look among those who ask at once', async () => {
    script = answering(2)
    const [one, two] = await Promise.all([sampler.look(), sampler.look()])
    expect(one).to.equal(two)
    await sampler.look()
    expect([started, skips.length]).to.deep.equal([1, 2])
  })

  it('kills the process when a GPU does not answer, and reads the others in a new one', async () => {
    script = answering(3, {1: 'hang'})
    expect(await states()).to.deep.equal(['ok', 'hung', 'ok'])
    expect([started, abandoned]).to.deep.equal([2, 1])
    expect(skips).to.deep.equal([[], [1]])
  })

  it('gets past several GPUs that hang, one after another', async () => {
    script = answering(4, {0: 'hang', 2: 'hang'})
    expect(await states()).to.deep.equal(['hung', 'ok', 'hung', 'ok'])
    expect(skips).to.deep.equal([[], [0], [0, 2]])
  })

  it('asks a GPU that hung again after 30 s, then after twice that, and as usual once it answers', async () => {
    script = answering(2, {1: 'hang'})
    await sampler.look()
    clock.advanceTo(29 * SECOND_NS)
    await sampler.look()
    expect(skips.splice(0)).to.deep.equal([[], [1], [1]])

    clock.advanceTo(31 * SECOND_NS)
    await sampler.look()
    clock.advanceTo(90 * SECOND_NS)
    await sampler.look()
    expect(skips.splice(0), '31 + 60 s are not over').to.deep.equal([[], [1], [1]])

    script = answering(2)
    clock.advanceTo(92 * SECOND_NS)
    expect(await states()).to.deep.equal(['ok', 'ok'])
    expect(skips.splice(0)).to.deep.equal([[]])
  })

  it('still knows who a GPU is that hung after it had answered', async () => {
    script = answering(2)
    await sampler.look()
    script = answering(2, {1: 'hang'})
    const hung = (await sampler.look()).gpus[1]!
    expect(hung).to.include({state: 'hung', uuid: 'GPU-1', powerWatts: null})
    expect(hung.unavailable).to.include({powerWatts: 'driver_hung', processes: 'driver_hung'})
    expect(hung.unavailable).not.to.have.property('uuid')
  })

  it('shows a GPU as failed when reading it takes the process down', async () => {
    script = answering(2, {0: 'die'})
    expect(await states()).to.deep.equal(['failed', 'ok'])
  })

  for (const [end, state] of [
    ['hang', 'hung'],
    ['die', 'crashed'],
  ] as const) {
    it(`calls the driver ${state} when its start ends that way, and leaves it alone for 30 s`, async () => {
      script = () => [end]
      const look = await sampler.look()
      expect(look.driver.state).to.equal(state)
      expect(look.gpus).to.deep.equal([])
      script = answering(1)
      expect((await sampler.look()).driver.state).to.equal(state)
      expect(started).to.equal(1)
      clock.advanceTo(31 * SECOND_NS)
      expect(await states()).to.deep.equal(['ok'])
      expect(started).to.equal(2)
    })
  }

  it('starts a new process after a driver that could not start: the library in the old one is stale', async () => {
    script = () => [
      {kind: 'driver', driver: {...driver, state: 'version_mismatch'}, count: 0},
      {kind: 'done'},
    ]
    expect((await sampler.look()).driver.state).to.equal('version_mismatch')
    expect(abandoned).to.equal(1)
    script = answering(1)
    clock.advanceTo(31 * SECOND_NS)
    expect((await sampler.look()).driver.state).to.equal('ok')
  })

  it('lets go of a caller who leaves while the driver hangs', async () => {
    script = () => ['hang']
    const abort = new AbortController()
    const look = sampler.look(abort.signal)
    abort.abort(new Error('enough'))
    expect(await rejection(look)).to.have.property('message', 'enough')
    expect(await rejection(sampler.look(abort.signal))).to.have.property('message', 'enough')
  })

  it('starts no process once it is closed, also when that ended a look', async () => {
    script = answering(2, {1: 'hang'})
    const look = rejection(sampler.look())
    sampler.close()
    expect(String(await look)).to.equal('Error: the GPU sampler is closed')
    expect(String(await rejection(sampler.look()))).to.equal('Error: the GPU sampler is closed')
    expect(started).to.equal(1)
  })
})
