import type {Facts} from '../stand-in/facts-file.js'

const GIB = 2 ** 30

/** A driver of branch 550 with `gpus` GPUs, about which nothing is known yet. */
export function bareDriver(gpus: number): Facts {
  return {
    nvmlSystemGetDriverVersion: '550.163.01',
    nvmlSystemGetNVMLVersion: '12.550.163.01',
    nvmlSystemGetCudaDriverVersion_v2: 12040,
    gpus,
  }
}

/** What makes a GPU recognisable: name, UUID, bus id. */
export function gpuIdentity(index: number): Facts {
  return ofGpu(index, {
    nvmlDeviceGetName: 'NVIDIA H100 80GB HBM3',
    nvmlDeviceGetUUID: gpuUuid(index),
    nvmlDeviceGetPciInfo_v3: `00000000:${(0x3b + index).toString(16).toUpperCase()}:00.0`,
    nvmlDeviceGetMinorNumber: index,
  })
}

export function gpuUuid(index: number): string {
  return `GPU-00000000-0000-0000-0000-00000000000${index}`
}

/**
 * A GPU that answers all there is to ask: 80 GiB, of which 600 MiB reserved and `usedGib` used.
 */
export function fullGpu(index: number, usedGib = 40): Facts {
  const [total, reserved, used] = [80 * GIB, 600 * 2 ** 20, usedGib * GIB]
  return {
    ...gpuIdentity(index),
    ...ofGpu(index, {
      nvmlDeviceGetSerial: `132502100000${index}`,
      nvmlDeviceGetVbiosVersion: '96.00.61.00.01',
      nvmlDeviceGetArchitecture: 9,
      nvmlDeviceGetCudaComputeCapability: '9 0',
      nvmlDeviceGetNumaNodeId: 1,
      nvmlDeviceGetMemoryInfo: `${total} ${total - used - reserved} ${used + reserved}`,
      nvmlDeviceGetMemoryInfo_v2: `${total} ${reserved} ${total - used - reserved} ${used}`,
      nvmlDeviceGetBAR1MemoryInfo: `${128 * GIB} ${127 * GIB} ${GIB}`,
      nvmlDeviceGetUtilizationRates: '85 43',
      nvmlDeviceGetEncoderUtilization: '5 167000',
      nvmlDeviceGetDecoderUtilization: '6 167000',
      nvmlDeviceGetJpgUtilization: '7 167000',
      nvmlDeviceGetOfaUtilization: '8 167000',
      'nvmlDeviceGetTemperature.0': 61,
      'nvmlDeviceGetTemperatureThreshold.0': 92,
      'nvmlDeviceGetTemperatureThreshold.1': 89,
      nvmlDeviceGetPowerUsage: 412_500,
      nvmlDeviceGetPowerManagementLimit: 700_000,
      nvmlDeviceGetEnforcedPowerLimit: 650_000,
      nvmlDeviceGetTotalEnergyConsumption: 123_456_789,
      nvmlDeviceGetFanSpeed: 45,
      'nvmlDeviceGetClockInfo.0': 1755,
      'nvmlDeviceGetClockInfo.1': 1740,
      'nvmlDeviceGetClockInfo.2': 2619,
      'nvmlDeviceGetClockInfo.3': 1545,
      'nvmlDeviceGetMaxClockInfo.1': 1980,
      'nvmlDeviceGetMaxClockInfo.2': 2619,
      nvmlDeviceGetPerformanceState: 0,
      nvmlDeviceGetCurrentClocksEventReasons: 0x4 | 0x40,
      nvmlDeviceGetCurrPcieLinkGeneration: 5,
      nvmlDeviceGetCurrPcieLinkWidth: 16,
      nvmlDeviceGetMaxPcieLinkGeneration: 5,
      nvmlDeviceGetMaxPcieLinkWidth: 16,
      nvmlDeviceGetPcieReplayCounter: 3,
      nvmlDeviceGetEccMode: '1 1',
      'nvmlDeviceGetTotalEccErrors.0.0': 11,
      'nvmlDeviceGetTotalEccErrors.1.0': 12,
      'nvmlDeviceGetTotalEccErrors.0.1': 13,
      'nvmlDeviceGetTotalEccErrors.1.1': 14,
      nvmlDeviceGetRemappedRows: '2 1 1 0',
      nvmlDeviceGetRetiredPagesPendingStatus: 0,
      nvmlDeviceGetPersistenceMode: 1,
      nvmlDeviceGetComputeMode: 0,
      nvmlDeviceGetMigMode: '0 0',
      nvmlDeviceGetMaxMigDeviceCount: 7,
      nvmlDeviceGetSupportedEventTypes: 0x9,
      'field.82.0': '1 73',
      'field.186.0': '1 431000',
      'field.138.-1': '3 1000',
      'field.139.-1': '3 2000',
      'field.197.0': '3 5000000',
      'field.198.0': '3 6000000',
      'field.74.0': '3 1000000',
      'field.76.0': '3 2000000',
      'field.269.0': '3 3000000',
      'field.270.0': '3 4000000',
      'field.271.0': '3 5000000',
      'field.230.0': '1 0',
      compute: `4242:${used}:-1:-1`,
      graphics: '',
      mps: '',
      samples: '4242:1000000:83:41:0:0',
    }),
  }
}

/** Facts of one GPU under their full keys. */
export function ofGpu(index: number, facts: Facts): Facts {
  return Object.fromEntries(Object.entries(facts).map(([key, value]) => [`gpu.${index}.${key}`, value]))
}

/** A GPU in MIG mode with two devices of 10 and 20 GiB, at indexes 0 and 2: they have gaps. */
export function migGpu(index: number): Facts {
  const part = (at: number, gib: number, slices: number): Facts =>
    ofGpu(index, {
      [`mig.${at}.nvmlDeviceGetName`]: `NVIDIA H100 80GB HBM3 MIG ${slices}g.${gib}gb`,
      [`mig.${at}.nvmlDeviceGetUUID`]: `MIG-00000000-0000-0000-000${index}-00000000000${at}`,
      [`mig.${at}.nvmlDeviceGetMemoryInfo`]: `${gib * GIB} ${(gib - 2) * GIB} ${2 * GIB}`,
      [`mig.${at}.nvmlDeviceGetMemoryInfo_v2`]: `${gib * GIB} ${GIB} ${(gib - 2) * GIB} ${GIB}`,
      [`mig.${at}.nvmlDeviceGetGpuInstanceId`]: at + 7,
      [`mig.${at}.nvmlDeviceGetComputeInstanceId`]: 0,
      [`mig.${at}.nvmlDeviceGetAttributes_v2`]: `${slices * 16} 1 1 0 1 0 ${slices} ${slices} ${gib * 1024}`,
      [`mig.${at}.compute`]: `${5000 + at}:${GIB}:${at + 7}:0`,
    })
  const not = '!3'
  return {
    ...fullGpu(index),
    ...ofGpu(index, {
      nvmlDeviceGetMigMode: '1 1',
      nvmlDeviceGetUtilizationRates: not,
      nvmlDeviceGetEncoderUtilization: not,
      nvmlDeviceGetDecoderUtilization: not,
      samples: not,
    }),
    ...part(0, 10, 1),
    ...part(2, 20, 2),
  }
}
