import {Counter, Gauge, type Registry} from 'prom-client'
import type {MachineLook} from '../../lib/machine/index.js'

type Gpu = MachineLook['gpus']['gpus'][number]
/** The figures of a GPU that are numbers. */
type Figure = {[K in keyof Gpu]: number extends Gpu[K] ? K : never}[keyof Gpu]

interface Series {
  readonly figure: Figure
  readonly name: string
  readonly help: string
  /** What a figure is multiplied by. */
  readonly factor?: number
}

const PERCENT = 0.01
const NANOSECONDS = 1e-9
const MHZ = 1e6

const GAUGES: readonly Series[] = [
  {figure: 'memoryTotalBytes', name: 'memory_total_bytes', help: 'Memory of the GPU.'},
  {figure: 'memoryFreeBytes', name: 'memory_free_bytes', help: 'Memory that is free.'},
  {figure: 'memoryUsedBytes', name: 'memory_used_bytes', help: 'Memory that programs hold.'},
  {figure: 'memoryReservedBytes', name: 'memory_reserved_bytes', help: 'Memory that the driver reserves.'},
  {
    figure: 'memoryUsedWithReservedBytes',
    name: 'memory_used_with_reserved_bytes',
    help: 'Both together, as drivers before branch 510 tell it.',
  },
  {figure: 'bar1UsedBytes', name: 'bar1_used_bytes', help: 'BAR1 memory in use.'},
  {
    figure: 'utilizationPercent',
    name: 'utilization_ratio',
    help: 'Share of time in which a kernel ran.',
    factor: PERCENT,
  },
  {
    figure: 'memoryAccessPercent',
    name: 'memory_access_ratio',
    help: 'Share of time in which memory was read or written.',
    factor: PERCENT,
  },
  {figure: 'encoderPercent', name: 'encoder_utilization_ratio', help: 'Use of the encoder.', factor: PERCENT},
  {figure: 'decoderPercent', name: 'decoder_utilization_ratio', help: 'Use of the decoder.', factor: PERCENT},
  {figure: 'temperatureCelsius', name: 'temperature_celsius', help: 'Temperature of the GPU.'},
  {
    figure: 'memoryTemperatureCelsius',
    name: 'memory_temperature_celsius',
    help: 'Temperature of its memory.',
  },
  {figure: 'powerWatts', name: 'power_watts', help: 'Power; a mean of the last second on newer GPUs.'},
  {figure: 'powerInstantWatts', name: 'power_instant_watts', help: 'Power of the moment.'},
  {figure: 'powerLimitWatts', name: 'power_limit_watts', help: 'The limit that an administrator set.'},
  {figure: 'enforcedPowerLimitWatts', name: 'power_limit_enforced_watts', help: 'The lowest of all limits.'},
  {figure: 'fanPercent', name: 'fan_speed_ratio', help: 'Speed of the fan; may pass 1.', factor: PERCENT},
  {
    figure: 'graphicsClockMhz',
    name: 'graphics_clock_hertz',
    help: 'Clock of the graphics engine.',
    factor: MHZ,
  },
  {figure: 'smClockMhz', name: 'sm_clock_hertz', help: 'Clock of the SMs.', factor: MHZ},
  {figure: 'memoryClockMhz', name: 'memory_clock_hertz', help: 'Clock of the memory.', factor: MHZ},
  {figure: 'performanceState', name: 'performance_state', help: '0 (fastest) to 15.'},
  {figure: 'pcieGeneration', name: 'pcie_generation', help: 'Generation of the PCIe link.'},
  {figure: 'pcieWidth', name: 'pcie_width', help: 'Lanes of the PCIe link.'},
]

const COUNTERS: readonly Series[] = [
  {figure: 'pcieSentBytes', name: 'pcie_sent_bytes_total', help: 'Bytes sent over PCIe.'},
  {figure: 'pcieReceivedBytes', name: 'pcie_received_bytes_total', help: 'Bytes received over PCIe.'},
  {figure: 'nvlinkSentBytes', name: 'nvlink_sent_bytes_total', help: 'Bytes sent over NVLink.'},
  {figure: 'nvlinkReceivedBytes', name: 'nvlink_received_bytes_total', help: 'Bytes received over NVLink.'},
  {figure: 'pcieReplays', name: 'pcie_replays_total', help: 'PCIe packets sent again.'},
  {
    figure: 'eccCorrected',
    name: 'ecc_corrected_total',
    help: 'Memory errors corrected since the driver was loaded.',
  },
  {
    figure: 'eccUncorrected',
    name: 'ecc_uncorrected_total',
    help: 'Memory errors that could not be corrected.',
  },
  {
    figure: 'remappedRowsCorrected',
    name: 'remapped_rows_corrected_total',
    help: 'Memory rows replaced in time.',
  },
  {
    figure: 'remappedRowsUncorrected',
    name: 'remapped_rows_uncorrected_total',
    help: 'Memory rows replaced too late.',
  },
]

/** Time in which clocks were held down, by why. */
const THROTTLES: readonly (readonly [figure: Figure, reason: string])[] = [
  ['powerCapThrottleNs', 'power_cap'],
  ['syncBoostThrottleNs', 'sync_boost'],
  ['softwareThermalThrottleNs', 'software_thermal'],
  ['hardwareThermalThrottleNs', 'hardware_thermal'],
  ['powerBrakeThrottleNs', 'power_brake'],
]

const IDENTITY = ['gpu', 'uuid'] as const

/** @returns puts a look in place of the one before; what is unknown has no series */
export function gpuSeries(registers: Registry[]): (look: MachineLook) => void {
  const name = (rest: string): string => `kvctl_gpu_${rest}`
  const gauge = (rest: string, help: string, ...labels: string[]): Gauge =>
    new Gauge({name: name(rest), help, labelNames: [...IDENTITY, ...labels], registers})
  const counter = (rest: string, help: string, ...labels: string[]): Counter =>
    new Counter({name: name(rest), help, labelNames: [...IDENTITY, ...labels], registers})

  const isUp = new Gauge({
    name: name('driver_up'),
    help: 'Whether the NVIDIA driver answers: 1 or 0.',
    registers,
  })
  const gauges = GAUGES.map(one => ({...one, series: gauge(one.name, one.help)}))
  const counters = COUNTERS.map(one => ({...one, series: counter(one.name, one.help)}))
  const info = gauge(
    'info',
    'Always 1; what the GPU is and how it is.',
    'name',
    'pci_bus_id',
    'architecture',
    'state',
  )
  const energy = counter('energy_joules_total', "Energy by the GPU's counter, else power added up.", 'source')
  const throttled = counter('throttled_seconds_total', 'Time in which clocks were held down.', 'reason')
  const isThrottled = gauge('throttled', '1 for each reason why clocks are held down now.', 'reason')
  const lastXid = gauge(
    'xid_last',
    'The last fault that the GPU reported, by its number; absent without one.',
  )
  const isRemapPending = gauge('row_remap_pending', 'Whether memory rows wait for a reset: 1 or 0.')
  const part = new Gauge({
    name: name('mig_memory_used_bytes'),
    help: 'Memory in use on a MIG device, with what the driver reserves.',
    labelNames: [...IDENTITY, 'mig_uuid', 'mig_name'],
    registers,
  })
  const partTotal = new Gauge({
    name: name('mig_memory_total_bytes'),
    help: 'Memory of a MIG device.',
    labelNames: [...IDENTITY, 'mig_uuid', 'mig_name'],
    registers,
  })
  const held = gauge(
    'process_memory_bytes',
    'Memory that a process holds on a GPU.',
    ...['pid', 'name', 'container', 'pod', 'segment', 'engine_role'],
  )
  const share = gauge('memory_share_bytes', 'Who holds the memory in use.', 'holder', 'basis')
  const single = [info, energy, throttled, isThrottled, lastXid, isRemapPending, part, partTotal, held, share]
  const all = [...gauges.map(({series}) => series), ...counters.map(({series}) => series), ...single]

  const show = (gpu: Gpu): void => {
    const labels = {gpu: String(gpu.index), uuid: gpu.uuid ?? ''}
    for (const {figure, series, factor = 1} of gauges) {
      const value = gpu[figure]
      if (value !== null) series.set(labels, rounded(value * factor))
    }
    for (const {figure, series} of counters) {
      const value = gpu[figure]
      if (value !== null) series.inc(labels, value)
    }
    const {name: model, pciBusId, architecture, state} = gpu
    info.set(
      {...labels, name: model ?? '', pci_bus_id: pciBusId ?? '', architecture: architecture ?? '', state},
      1,
    )
    if (gpu.energyJoules !== null) energy.inc({...labels, source: gpu.energySource!}, gpu.energyJoules)
    for (const [figure, reason] of THROTTLES) {
      const value = gpu[figure]
      if (value !== null) throttled.inc({...labels, reason}, value * NANOSECONDS)
    }
    for (const reason of gpu.throttleReasons ?? [])
      if (reason !== 'idle') isThrottled.set({...labels, reason}, 1)
    const xid = gpu.xids?.at(-1)
    if (xid) lastXid.set(labels, xid.xid)
    if (gpu.isRowRemapPending !== null) isRemapPending.set(labels, gpu.isRowRemapPending ? 1 : 0)
    for (const mig of gpu.migDevices) {
      const migLabels = {...labels, mig_uuid: mig.uuid ?? '', mig_name: mig.name ?? ''}
      if (mig.memoryUsedWithReservedBytes !== null) part.set(migLabels, mig.memoryUsedWithReservedBytes)
      if (mig.memoryTotalBytes !== null) partTotal.set(migLabels, mig.memoryTotalBytes)
    }
    for (const process of gpu.processes ?? []) {
      if (process.usedBytes === null) continue
      const {pid, containerId, podUid, segment, role} = process
      held.set(
        {
          ...{...labels, pid: String(pid), name: process.name ?? '', container: containerId ?? ''},
          ...{
            pod: podUid ?? '',
            segment: segment ?? '',
            engine_role: role ? `${role.engine} ${role.role}` : '',
          },
        },
        process.usedBytes,
      )
    }
  }
  return ({gpus, shares}) => {
    for (const series of all) series.reset()
    isUp.set(gpus.driver.state === 'ok' ? 1 : 0)
    for (const gpu of gpus.gpus) show(gpu)
    for (const {index, engines, otherProcesses, reserved, unattributed} of shares) {
      const labels = {gpu: String(index), uuid: gpus.gpus[index]?.uuid ?? ''}
      for (const {url, bytes} of engines) share.set({...labels, holder: url, basis: 'measured'}, bytes)
      for (const [holder, {bytes, basis}] of [
        ['other processes', otherProcesses],
        ['driver', reserved],
        ['unattributed', unattributed],
      ] as const) {
        if (bytes !== null && basis !== null) share.set({...labels, holder, basis}, bytes)
      }
    }
  }
}

/** Without the dust of binary fractions. */
function rounded(value: number): number {
  return Number(value.toPrecision(12))
}
