import {expect} from 'chai'
import {VirtualClock} from '../../../src/lib/foundation/index.js'
import {createGpuSampler, type GpuOrder, type GpuReport, type GpuSampler} from '../../../src/lib/gpu/index.js'
import {taskName} from '../../../src/lib/gpu/gpu-process.js'
import {unreadGpu, type GpuTask} from '../../../src/lib/gpu/gpu-session.js'
import type {Worker} from '../../../src/lib/processes/index.js'
import {rejection} from '../../support/rejection.js'

const SECOND_NS = 1e9
const RETRY_MS = 30_000
const driver = {problem: null, driverVersion: '550', nvmlVersion: null, cudaVersion: null}
const read = (index: number): GpuReport => {
  const gpu = unreadGpu(index, 'ok', 'no_data')
  return {kind: 'gpu', gpu: {...gpu, uuid: `GPU-${index}`, unavailable: {}}}
}

type End = 'hang' | 'die'
/** What a process is at in a look, and what comes of it: a report, silence, or its end. */
type Step = readonly [task: GpuTask, brings: GpuReport | End]
type Script = (skip: readonly number[]) => readonly Step[]

const answering =
  (count: number, ends: Readonly<Partial<Record<GpuTask, End>>> = {}): Script =>
  skip => [
    ['driver', ends.driver ?? {kind: 'driver', driver: {...driver, state: 'ok'}, count}],
    ...Array.from({length: count}, (_, index) => index)
      .filter(index => !skip.includes(index))
      .map(index => [index, ends[index] ?? read(index)] as const),
    ['events', {kind: 'done'}],
    ...(ends.events ? [['events', ends.events] as const] : []),
  ]

describe('the GPU sampler', () => {
  let clock: VirtualClock
  let script: Script
  let started: number
  let abandoned: number
  let skips: (readonly number[])[]
  let isTaskHidden: boolean
  let sampler: GpuSampler

  const startProcess = (): Worker<GpuOrder, readonly GpuReport[]> => {
    started++
    const orders: (readonly number[])[] = []
    let wake: () => void = () => undefined
    let task = taskName('none')
    let isProven = false
    return {
      pid: 1,
      task: () => (isTaskHidden ? null : task),
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
          let parts: GpuReport[] = []
          for (const [at, brings] of script(order)) {
            task = taskName(at)
            if (brings === 'die') throw new Error('the process is gone')
            if (brings === 'hang') await new Promise(() => undefined)
            else parts.push(brings)
            if (isProven && typeof brings === 'object' && brings.kind !== 'done') continue
            yield parts
            parts = []
          }
          isProven = true
          task = taskName('none')
        }
      },
      stop: async () => undefined,
      abandon: () => abandoned++,
    }
  }
  const states = async (): Promise<string[]> => (await sampler.look()).gpus.map(({state}) => state)

  beforeEach(() => {
    clock = new VirtualClock()
    ;[started, abandoned, skips, isTaskHidden] = [0, 0, [], false]
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

  it('tells which GPU hung in a later look, which is reported whole, and asks the others again', async () => {
    script = answering(3)
    await sampler.look()
    script = answering(3, {1: 'hang'})
    expect(await states()).to.deep.equal(['ok', 'hung', 'ok'])
    expect([started, abandoned]).to.deep.equal([2, 1])
    expect(skips).to.deep.equal([[], [], [1]])
  })

  for (const [title, ends, hide] of [
    ['crashed', {1: 'die'}, false],
    ['hung and hid what it was at', {1: 'hang'}, true],
  ] as const)
    it(`lets a new process tell which GPU it was when one ${title} in a later look`, async () => {
      script = answering(3)
      await sampler.look()
      isTaskHidden = hide
      script = answering(3, ends)
      expect(await states()).to.deep.equal(['ok', hide ? 'hung' : 'failed', 'ok'])
      expect([started, abandoned]).to.deep.equal([3, 2])
      expect(skips).to.deep.equal([[], [], [], [1]])
    })

  it('blames no GPU for a process that somebody killed in a later look', async () => {
    script = answering(2)
    await sampler.look()
    const answers = [answering(2, {0: 'die'}), answering(2)]
    script = skip => answers.shift()!(skip)
    expect(await states()).to.deep.equal(['ok', 'ok'])
    expect(started).to.equal(2)
  })

  it('blames no GPU when taking events hangs after a look, and calls the driver hung when it does in a later one', async () => {
    script = answering(2, {events: 'hang'})
    expect(await states()).to.deep.equal(['ok', 'ok'])
    script = answering(2)
    expect(await states()).to.deep.equal(['ok', 'ok'])
    expect([started, skips]).to.deep.equal([2, [[], [], []]])
    script = answering(2, {driver: 'hang'})
    const look = await sampler.look()
    expect([look.driver.state, look.gpus]).to.deep.equal(['hung', []])
    expect(started).to.equal(2)
  })

  it('has patience with each GPU for itself', async () => {
    script = answering(3)
    const worker = startProcess()
    let asked = 0
    let arrive: () => void = () => undefined
    const isSlow = new Promise<void>(resolve => (arrive = resolve))
    sampler = createGpuSampler({
      ...{clock, patienceMs: 20, retryMs: RETRY_MS, healthMs: 0, libraryPath: null, pciFolder: '/nowhere'},
      startProcess: () => ({
        ...worker,
        // On to the next GPU after half of the patience, three of them in all.
        task() {
          if (++asked === 15) arrive()
          return taskName(Math.floor(asked / 5))
        },
        async *reports() {
          for await (const parts of worker.reports()) {
            await isSlow
            yield parts
          }
        },
      }),
    })
    expect(await states()).to.deep.equal(['ok', 'ok', 'ok'])
    expect(abandoned).to.equal(0)
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
      script = answering(0, {driver: end})
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
      ['driver', {kind: 'driver', driver: {...driver, state: 'version_mismatch'}, count: 0}],
      ['events', {kind: 'done'}],
    ]
    expect((await sampler.look()).driver.state).to.equal('version_mismatch')
    expect(abandoned).to.equal(1)
    script = answering(1)
    clock.advanceTo(31 * SECOND_NS)
    expect((await sampler.look()).driver.state).to.equal('ok')
  })

  it('lets go of a caller who leaves while the driver hangs', async () => {
    script = answering(0, {driver: 'hang'})
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
