import {hostname} from 'node:os'
import {Counter, Gauge, type Registry} from 'prom-client'
import type {MachineLook} from '../../lib/machine/index.js'

type Gpu = MachineLook['gpus']['gpus'][number]

interface Series {
  readonly name: string
  readonly help: string
  readonly read: (gpu: Gpu) => number | null
}

const MIB = 2 ** 20
const mib = (bytes: number | null): number | null => (bytes === null ? null : Math.floor(bytes / MIB))

const GAUGES: readonly Series[] = [
  {name: 'SM_CLOCK', help: 'SM clock frequency (in MHz).', read: gpu => gpu.smClockMhz},
  {name: 'MEM_CLOCK', help: 'Memory clock frequency (in MHz).', read: gpu => gpu.memoryClockMhz},
  {name: 'GPU_TEMP', help: 'GPU temperature (in C).', read: gpu => gpu.temperatureCelsius},
  {name: 'MEMORY_TEMP', help: 'Memory temperature (in C).', read: gpu => gpu.memoryTemperatureCelsius},
  {name: 'POWER_USAGE', help: 'Power draw (in W).', read: gpu => gpu.powerWatts},
  {name: 'GPU_UTIL', help: 'GPU utilization (in %).', read: gpu => gpu.utilizationPercent},
  {name: 'MEM_COPY_UTIL', help: 'Memory utilization (in %).', read: gpu => gpu.memoryAccessPercent},
  {name: 'ENC_UTIL', help: 'Encoder utilization (in %).', read: gpu => gpu.encoderPercent},
  {name: 'DEC_UTIL', help: 'Decoder utilization (in %).', read: gpu => gpu.decoderPercent},
  {name: 'FB_FREE', help: 'Framebuffer memory free (in MiB).', read: gpu => mib(gpu.memoryFreeBytes)},
  {name: 'FB_USED', help: 'Framebuffer memory used (in MiB).', read: gpu => mib(gpu.memoryUsedBytes)},
  {
    name: 'FB_RESERVED',
    help: 'Framebuffer memory reserved (in MiB).',
    read: gpu => mib(gpu.memoryReservedBytes),
  },
  {
    name: 'XID_ERRORS',
    help: 'Value of the last XID error encountered.',
    read: gpu => (gpu.xids === null ? null : (gpu.xids.at(-1)?.xid ?? 0)),
  },
]

const COUNTERS: readonly Series[] = [
  {
    name: 'TOTAL_ENERGY_CONSUMPTION',
    help: 'Total energy consumption since boot (in mJ).',
    read: gpu => (gpu.energySource === 'counter' ? Math.round(gpu.energyJoules! * 1000) : null),
  },
  {name: 'PCIE_REPLAY_COUNTER', help: 'Total number of PCIe retries.', read: gpu => gpu.pcieReplays},
  {
    name: 'CORRECTABLE_REMAPPED_ROWS',
    help: 'Number of remapped rows for correctable errors.',
    read: gpu => gpu.remappedRowsCorrected,
  },
  {
    name: 'UNCORRECTABLE_REMAPPED_ROWS',
    help: 'Number of remapped rows for uncorrectable errors.',
    read: gpu => gpu.remappedRowsUncorrected,
  },
]

const LABELS = ['gpu', 'UUID', 'pci_bus_id', 'device', 'modelName', 'Hostname']

/**
 * The names of NVIDIA's exporter for dashboards that were made for it.
 *
 * @returns puts a look in place of the one before; what is unknown has no series
 * @see NVIDIA/dcgm-exporter:etc/default-counters.csv
 */
export function dcgmSeries(registers: Registry[]): (look: MachineLook) => void {
  const name = (rest: string): string => `DCGM_FI_DEV_${rest}`
  const gauges = GAUGES.map(one => ({
    ...one,
    series: new Gauge({name: name(one.name), help: one.help, labelNames: LABELS, registers}),
  }))
  const counters = COUNTERS.map(one => ({
    ...one,
    series: new Counter({name: name(one.name), help: one.help, labelNames: LABELS, registers}),
  }))
  return ({gpus}) => {
    for (const {series} of [...gauges, ...counters]) series.reset()
    for (const gpu of gpus.gpus) {
      const labels = {
        ...{gpu: String(gpu.index), UUID: gpu.uuid ?? '', pci_bus_id: gpu.pciBusId ?? ''},
        ...{device: `nvidia${gpu.minorNumber ?? gpu.index}`, modelName: gpu.name ?? '', Hostname: hostname()},
      }
      for (const {series, read} of gauges) {
        const value = read(gpu)
        if (value !== null) series.set(labels, value)
      }
      for (const {series, read} of counters) {
        const value = read(gpu)
        if (value !== null) series.inc(labels, value)
      }
    }
  }
}
