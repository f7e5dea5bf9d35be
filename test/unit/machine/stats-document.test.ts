import {expect} from 'chai'
import {unreadGpu} from '../../../src/lib/gpu/gpu-session.js'
import type {GpuLook, GpusLook} from '../../../src/lib/gpu/index.js'
import {statsDocument, type StatsDocument} from '../../../src/lib/machine/index.js'
import {DRIVER_OK} from '../../support/machine-look.js'

const MIB = 2 ** 20
const FULL = {
  name: 'NVIDIA H100 PCIe',
  uuid: 'GPU-abc',
  utilizationPercent: 85,
  memoryUsedWithReservedBytes: 21_759 * MIB + 1,
  memoryTotalBytes: 81_920 * MIB + 5,
  temperatureCelsius: 65,
  powerWatts: 350.512,
  powerLimitWatts: 400,
  enforcedPowerLimitWatts: 300,
  fanPercent: 45,
  encoderPercent: 3,
  decoderPercent: 4,
}
const gpu = (index: number, figures: Partial<GpuLook>): GpuLook => ({
  ...unreadGpu(index, 'ok', 'not_supported'),
  ...figures,
})
const look = (gpus: readonly GpuLook[], driver = DRIVER_OK): GpusLook => ({
  ...{takenAtMs: Date.parse('2025-11-09T10:30:45.123Z'), tookMs: 1, driver, gpus},
})

describe('the document of /proxy/stats', () => {
  it("has vllm-chill's keys in its order, whole MiB, and the fill level of those", () => {
    const document = statsDocument(look([gpu(0, FULL)])) as StatsDocument
    expect(JSON.stringify(document)).to.equal(
      '{"timestamp":"2025-11-09T10:30:45.123Z","gpus":[{"index":0,"name":"NVIDIA H100 PCIe","uuid":"GPU-abc",' +
        '"utilization_percent":85,"memory_used_mb":21759,"memory_total_mb":81920,' +
        // 21759 / 81920 × 100
        '"memory_util_percent":26.561279296875,"temperature_c":65,"power_draw_w":350.512,"power_limit_w":400,' +
        '"fan_speed_percent":45,"encoder_util_percent":3,"decoder_util_percent":4}]}',
    )
  })

  it('is 0 with the reason where a GPU does not tell a figure', () => {
    const [row] = (statsDocument(look([gpu(0, {...FULL, fanPercent: null})])) as StatsDocument).gpus
    expect(row).to.deep.include({fan_speed_percent: 0, unavailable: {fan_speed_percent: 'not_supported'}})
  })

  it('leaves out GPUs that cannot be read', () => {
    const gpus = [gpu(0, FULL), unreadGpu(1, 'lost', 'gpu_lost'), gpu(2, FULL)]
    const document = statsDocument(look(gpus)) as StatsDocument
    expect(document.gpus.map(({index}) => index)).to.deep.equal([0, 2])
  })

  for (const [what, given, error] of [
    [
      'NVML does not start',
      look([], {
        ...DRIVER_OK,
        state: 'not_loaded',
        problem: 'nvmlInit_v2: NVML_ERROR_DRIVER_NOT_LOADED (9): Driver Not Loaded',
      }),
      'NVML not initialized',
    ],
    ['there is no GPU', look([]), 'no GPUs found'],
    [
      'they cannot be counted',
      look([], {
        ...DRIVER_OK,
        state: 'unreachable',
        problem: 'nvmlDeviceGetCount_v2: NVML_ERROR_UNKNOWN (999): Unknown Error',
      }),
      'failed to get device count: Unknown Error',
    ],
    ['none can be read', look([unreadGpu(0, 'lost', 'gpu_lost')]), 'failed to query any GPUs'],
  ] as const) {
    it(`is "${error}" where ${what}`, () => {
      expect(statsDocument(given)).to.deep.equal({error: `Failed to query GPU: ${error}`})
    })
  }
})
