import {expect} from 'chai'
import {systemClock} from '../../src/lib/foundation/index.js'
import {
  createGpuSampler,
  driverProbePath,
  gpuProcessPath,
  probeNvml,
  type GpuLook,
  type GpuSampler,
} from '../../src/lib/gpu/index.js'
import {startWorker} from '../../src/lib/processes/index.js'
import {describeGpu, querySmi, type SmiRow} from '../support/gpu/nvidia-smi.js'
import {recordGpuResults} from '../support/gpu/results.js'

const MIB = 2 ** 20
const number = (row: SmiRow, name: string): number | null => {
  const text = row[name]
  return text === null || text === undefined ? null : Number(text)
}
const mib = (bytes: number | null): number | null => (bytes === null ? null : bytes / MIB)

/** Figures that must lie between two readings of nvidia-smi, with what they may stray beyond. */
const MOVING: readonly (readonly [smi: string, slack: number, ours: (gpu: GpuLook) => number | null])[] = [
  ['memory.used', 64, gpu => mib(gpu.memoryUsedBytes ?? gpu.memoryUsedWithReservedBytes)],
  ['memory.free', 64, gpu => mib(gpu.memoryFreeBytes)],
  ['temperature.gpu', 3, gpu => gpu.temperatureCelsius],
  ['power.draw', 60, gpu => gpu.powerWatts],
  ['clocks.sm', 400, gpu => gpu.smClockMhz],
  ['clocks.mem', 400, gpu => gpu.memoryClockMhz],
  ['fan.speed', 5, gpu => gpu.fanPercent],
  ['utilization.gpu', 60, gpu => gpu.utilizationPercent],
]
/** Figures that stay. */
const FIXED: readonly (readonly [smi: string, ours: (gpu: GpuLook) => string | null])[] = [
  ['uuid', gpu => gpu.uuid],
  ['name', gpu => gpu.name],
  ['pci.bus_id', gpu => gpu.pciBusId],
  ['memory.total', gpu => String(Math.floor(mib(gpu.memoryTotalBytes) ?? -1))],
  ['power.limit', gpu => gpu.powerLimitWatts?.toFixed(2) ?? null],
  ['enforced.power.limit', gpu => gpu.enforcedPowerLimitWatts?.toFixed(2) ?? null],
  ['compute_cap', gpu => gpu.computeCapability],
  ['vbios_version', gpu => gpu.vbiosVersion],
]

describeGpu('NVML on this machine', function () {
  let sampler: GpuSampler
  const libraryPath = process.env['KVCTL_NVML_PATH'] || null

  before(() => {
    sampler = createGpuSampler({
      startProcess: () => startWorker(gpuProcessPath),
      clock: systemClock,
      libraryPath,
      pciFolder: '/sys/bus/pci/devices',
      ...{patienceMs: 30_000, healthMs: 0, retryMs: 30_000},
    })
  })
  after(() => sampler.close())

  it('gives the figures that nvidia-smi gives at the same moment', async () => {
    await sampler.look()
    const names = ['index', ...FIXED.map(([name]) => name), ...MOVING.map(([name]) => name), 'driver_version']
    const before = querySmi(names)
    const look = await sampler.look()
    const after = querySmi(names)
    expect(look.driver.state).to.equal('ok')
    expect(look.gpus.map(({index}) => String(index))).to.deep.equal(before.map(row => row['index']))
    const compared: Record<string, unknown>[] = []
    for (const gpu of look.gpus) {
      const [one, two] = [before[gpu.index]!, after[gpu.index]!]
      expect(look.driver.driverVersion).to.equal(one['driver_version'])
      for (const [name, ours] of FIXED) expect(ours(gpu), `GPU ${gpu.index} ${name}`).to.equal(one[name])
      const figures: Record<string, unknown> = {gpu: gpu.index, name: gpu.name}
      for (const [name, slack, ours] of MOVING) {
        const [value, least, most] = [ours(gpu), number(one, name), number(two, name)]
        figures[name] = {kvctl: value, nvidia_smi: [least, most]}
        if (value === null || least === null || most === null) {
          expect(value, `GPU ${gpu.index} ${name}, which nvidia-smi gives as ${least}`).to.equal(least)
          continue
        }
        expect(value, `GPU ${gpu.index} ${name}`).to.be.within(
          Math.min(least, most) - slack,
          Math.max(least, most) + slack,
        )
      }
      compared.push(figures)
    }
    recordGpuResults('agreement', compared)
  })

  it('lists the processes that nvidia-smi lists', async () => {
    const apps = querySmi(['pid', 'gpu_uuid', 'used_memory'], 'compute-apps')
    const look = await sampler.look()
    for (const {pid, gpu_uuid: uuid} of apps) {
      const gpu = look.gpus.find(one => one.uuid === uuid)
      expect(
        gpu?.processes?.map(process => String(process.pid)),
        `processes of ${uuid}`,
      ).to.include(pid)
    }
    recordGpuResults('processes', {nvidia_smi: apps.length})
  })

  it('says how long each call takes', async () => {
    const probe = await probeNvml({
      startProcess: () => startWorker(driverProbePath),
      ...{libraryPath, patienceMs: 60_000},
    })
    expect(probe.stuckIn).to.equal(null)
    expect(probe.calls.length).to.be.above(10)
    recordGpuResults(
      'nvml_calls_ms',
      probe.calls.map(({call, count, medianMs, worstMs}) => ({
        ...{call, count, median: Number(medianMs.toFixed(4)), worst: Number(worstMs.toFixed(4))},
      })),
    )
  })

  it('says how long a look at all GPUs takes', async () => {
    const tookMs: number[] = []
    for (let look = 0; look < 20; look++) tookMs.push((await sampler.look()).tookMs)
    tookMs.sort((a, b) => a - b)
    recordGpuResults('look_ms', {p50: tookMs[9], max: tookMs[19]})
  })
})
