import {createRequire} from 'node:module'
import type koffiModule from 'koffi'
import {MARKER_SYMBOLS, PROTOTYPES, type NvmlFunction, type Parameter} from './nvml-functions.js'
import {
  LARGEST_RECORD_BYTES,
  processRecordBytes,
  readProcesses,
  UNTOUCHED,
  type NvmlProcess,
} from './nvml-processes.js'
import {NVML, nvmlError} from './nvml-status.js'
import {
  readFieldValue,
  readStruct,
  readText,
  readU64,
  STRUCTS,
  structVersion,
  type Decoded,
  type Struct,
} from './nvml-structs.js'
import {openLibrary, quietly} from './open-library.js'

export {type NvmlProcess} from './nvml-processes.js'
export {NVML} from './nvml-status.js'

/** An `nvmlDevice_t`: a GPU or a MIG device. Good until `shutdown`. */
export type NvmlDevice = bigint

/** One answer of {@link Nvml.fieldValues}. */
export interface NvmlFieldValue {
  /** `nvmlReturn_t` of this field alone */
  readonly status: number
  /** Null unless status is 0, and where NVML says "not available". */
  readonly value: number | null
}

/** Whose memory a process list counts. */
export type NvmlProcessKind = 'compute' | 'graphics' | 'mps'

/** One sample of what a process had of the GPU's units, in percent. */
export type NvmlProcessSample = Decoded<typeof STRUCTS.nvmlProcessUtilizationSample_t>

/** Something that happened on a GPU, such as an Xid. */
export interface NvmlEvent {
  readonly device: NvmlDevice
  /** One of the `nvmlEventType…` bits. */
  readonly type: number
  /** With an Xid event its number. */
  readonly data: number
}

/** `nvmlClockType_t` */
export const NVML_CLOCK = {graphics: 0, sm: 1, memory: 2, video: 3} as const
/** `nvmlMemoryErrorType_t` and `nvmlEccCounterType_t` */
export const NVML_ECC = {corrected: 0, uncorrected: 1, sinceReset: 0, lifetime: 1} as const
/** Bits of `nvmlEventType…` */
export const NVML_EVENT = {xid: 8} as const
/** On one GPU: more take a second call. */
const USUAL_PROCESSES = 8
/** `scopeId` of the NVLink fields that adds all links up. */
export const NVML_ALL_LINKS = 0xffff_ffff

const LIBRARIES = ['libnvidia-ml.so.1', 'libnvidia-ml.so', '/usr/lib/wsl/lib/libnvidia-ml.so.1']

const C_TYPES: Readonly<Record<Parameter, string>> = {
  device: 'void *',
  handle: 'void *',
  out: 'void *',
  u32: 'uint32_t',
  i32: 'int32_t',
  u64: 'uint64_t',
  text: 'const char *',
}

type Argument = bigint | number | string | Buffer | null
/** A function of the library, which gives an `nvmlReturn_t`. */
export type NvmlCall = (...args: Argument[]) => number
type Koffi = typeof koffiModule

const PROCESS_LISTS: Readonly<Record<NvmlProcessKind, readonly NvmlFunction[]>> = {
  compute: [
    'nvmlDeviceGetComputeRunningProcesses_v3',
    'nvmlDeviceGetComputeRunningProcesses_v2',
    'nvmlDeviceGetComputeRunningProcesses',
  ],
  graphics: [
    'nvmlDeviceGetGraphicsRunningProcesses_v3',
    'nvmlDeviceGetGraphicsRunningProcesses_v2',
    'nvmlDeviceGetGraphicsRunningProcesses',
  ],
  mps: [
    'nvmlDeviceGetMPSComputeRunningProcesses_v3',
    'nvmlDeviceGetMPSComputeRunningProcesses_v2',
    'nvmlDeviceGetMPSComputeRunningProcesses',
  ],
}

/**
 * NVIDIA's management library, by its own names in camelCase. Every method throws `NativeError` on failure, with the
 * `nvmlReturn_t` as `errno`; a function that this driver does not export fails alone, with `NVML.functionNotFound`.
 * Calls block, some of them for as long as the driver hangs: make them in a process that may be killed. NVML makes no CUDA
 * context and takes no GPU memory, but any call on a sleeping GPU wakes it.
 */
export type Nvml = ReturnType<typeof loadNvml>

/**
 * Loads koffi and the library; calls nothing in it yet.
 *
 * @param path null tries where drivers, containers and WSL put it
 * @param watch wraps each function of the library, to see its calls
 * @throws NativeError with `NVML.libraryNotFound`, and the loader's words
 */
export function loadNvml(
  path: string | null,
  watch: (name: NvmlFunction, call: NvmlCall) => NvmlCall = (_, call) => call,
) {
  const koffi = createRequire(import.meta.url)('koffi') as Koffi
  const library = openLibrary(koffi, path === null ? LIBRARIES : [path], words =>
    nvmlError('dlopen', NVML.libraryNotFound, words),
  )
  const bound = new Map<string, NvmlCall | null>()

  const find = (symbol: NvmlFunction): NvmlCall | null => {
    const known = bound.get(symbol)
    if (known !== undefined) return known
    const types = PROTOTYPES[symbol].map((parameter: Parameter) => C_TYPES[parameter])
    const found = quietly(() => watch(symbol, library.func(symbol, 'int32_t', types) as NvmlCall))
    bound.set(symbol, found)
    return found
  }
  const markers = new Map<string, boolean>()
  const exports = (symbol: string): boolean => {
    const known = markers.get(symbol)
    if (known !== undefined) return known
    const isThere = quietly(() => library.func(symbol, 'int32_t', [])) !== null
    markers.set(symbol, isThere)
    return isThere
  }

  const status = (symbol: NvmlFunction, ...args: Argument[]): number =>
    find(symbol)?.(...args) ?? NVML.functionNotFound
  const call = (symbol: NvmlFunction, ...args: Argument[]): void => {
    const code = status(symbol, ...args)
    if (code !== NVML.success) throw nvmlError(symbol, code)
  }
  /** The first of several generations of a function that this driver has. */
  const newest = (symbols: readonly NvmlFunction[]): NvmlFunction =>
    symbols.find(symbol => find(symbol)) ?? symbols[0]!

  const u32 = (symbol: NvmlFunction, ...args: Argument[]): number => {
    const out = Buffer.alloc(4)
    call(symbol, ...args, out)
    return out.readUInt32LE()
  }
  const u64 = (symbol: NvmlFunction, ...args: Argument[]): number | null => {
    const out = Buffer.alloc(8)
    call(symbol, ...args, out)
    return readU64(out, 0)
  }
  const pair = (symbol: NvmlFunction, device: NvmlDevice): readonly [number, number] => {
    const [one, two] = [Buffer.alloc(4), Buffer.alloc(4)]
    call(symbol, device, one, two)
    return [one.readUInt32LE(), two.readUInt32LE()]
  }
  const pointer = (symbol: NvmlFunction, ...args: Argument[]): bigint => {
    const out = Buffer.alloc(8)
    call(symbol, ...args, out)
    return out.readBigUInt64LE()
  }
  const text = (symbol: NvmlFunction, bytes: number, ...args: Argument[]): string => {
    const out = Buffer.alloc(bytes)
    call(symbol, ...args, out, bytes)
    return readText(out)
  }
  const struct = <S extends Struct>(symbol: NvmlFunction, layout: S, device: NvmlDevice): Decoded<S> => {
    const out = Buffer.alloc(layout.bytes)
    call(symbol, device, out)
    return readStruct(layout, out)
  }
  const ofDevice =
    (symbol: NvmlFunction) =>
    (device: NvmlDevice): number =>
      u32(symbol, device)
  const chosen =
    (symbol: NvmlFunction) =>
    (device: NvmlDevice, which: number): number =>
      u32(symbol, device, which)
  const unitUse =
    (symbol: NvmlFunction) =>
    (device: NvmlDevice): number =>
      pair(symbol, device)[0]
  const setting =
    (symbol: NvmlFunction) =>
    (device: NvmlDevice): {readonly current: number; readonly pending: number} => {
      const [current, pending] = pair(symbol, device)
      return {current, pending}
    }

  return {
    /** Reference counted: one call a process. Takes 5 ms to seconds. */
    init: (): void => call('nvmlInit_v2'),
    /** Makes every handle invalid. */
    shutdown: (): void => call('nvmlShutdown'),
    /** Such as `550.163.01`. */
    driverVersion: (): string => text('nvmlSystemGetDriverVersion', 80),
    /** Such as `12.550.163.01`. */
    nvmlVersion: (): string => text('nvmlSystemGetNVMLVersion', 80),
    /** The newest CUDA that the driver serves; 12040 is 12.4. */
    cudaDriverVersion: (): number => u32('nvmlSystemGetCudaDriverVersion_v2'),

    /** Physical GPUs that this process may see. */
    deviceCount: (): number => u32('nvmlDeviceGetCount_v2'),
    /** An NVML index, which follows the PCI bus and is not a CUDA ordinal. */
    deviceByIndex: (index: number): NvmlDevice => pointer('nvmlDeviceGetHandleByIndex_v2', index),
    /** `GPU-…` or `MIG-…` */
    deviceByUuid: (uuid: string): NvmlDevice => pointer('nvmlDeviceGetHandleByUUID', uuid),

    deviceName: (device: NvmlDevice): string => text('nvmlDeviceGetName', 96, device),
    deviceUuid: (device: NvmlDevice): string => text('nvmlDeviceGetUUID', 96, device),
    deviceSerial: (device: NvmlDevice): string => text('nvmlDeviceGetSerial', 30, device),
    vbiosVersion: (device: NvmlDevice): string => text('nvmlDeviceGetVbiosVersion', 32, device),
    /** N of `/dev/nvidiaN`. */
    minorNumber: ofDevice('nvmlDeviceGetMinorNumber'),
    /** busId like `00000000:3B:00.0`; sysfs has four digits of domain, in lower case. */
    pciInfo: (device: NvmlDevice) => struct('nvmlDeviceGetPciInfo_v3', STRUCTS.nvmlPciInfo_t, device),
    /** `nvmlDeviceArchitecture_t` */
    architecture: ofDevice('nvmlDeviceGetArchitecture'),
    /** Major and minor. */
    computeCapability: (device: NvmlDevice) => pair('nvmlDeviceGetCudaComputeCapability', device),
    numaNode: ofDevice('nvmlDeviceGetNumaNodeId'),

    /** Bytes; `used` includes what driver and firmware reserve. */
    memoryInfo: (device: NvmlDevice) => struct('nvmlDeviceGetMemoryInfo', STRUCTS.nvmlMemory_t, device),
    /** Bytes; `used` without `reserved`. From branch 510 on. */
    memoryInfoV2(device: NvmlDevice) {
      const layout = STRUCTS.nvmlMemory_v2_t
      const out = Buffer.alloc(layout.bytes)
      out.writeUInt32LE(structVersion(layout, 2))
      call('nvmlDeviceGetMemoryInfo_v2', device, out)
      return readStruct(layout, out)
    },
    /** Bytes of the window through which the host reaches GPU memory. */
    bar1MemoryInfo: (device: NvmlDevice) =>
      struct('nvmlDeviceGetBAR1MemoryInfo', STRUCTS.nvmlBAR1Memory_t, device),

    /** Percent of the last 1/6 to 1 s; `memory` is time in which memory was accessed, not its fill. Not under MIG. */
    utilizationRates: (device: NvmlDevice) =>
      struct('nvmlDeviceGetUtilizationRates', STRUCTS.nvmlUtilization_t, device),
    /** Percent, as the three below. */
    encoderUtilization: unitUse('nvmlDeviceGetEncoderUtilization'),
    decoderUtilization: unitUse('nvmlDeviceGetDecoderUtilization'),
    jpgUtilization: unitUse('nvmlDeviceGetJpgUtilization'),
    ofaUtilization: unitUse('nvmlDeviceGetOfaUtilization'),

    /** °C of the GPU's own sensor. */
    temperature: (device: NvmlDevice): number => u32('nvmlDeviceGetTemperature', device, 0),
    /** °C. @param which 0 shutdown, 1 slowdown, 2 memory's maximum, 3 GPU's maximum */
    temperatureThreshold: chosen('nvmlDeviceGetTemperatureThreshold'),
    /** mW: mean of the last second on Ampere and newer except GA100, momentary elsewhere. */
    powerUsage: ofDevice('nvmlDeviceGetPowerUsage'),
    /** mW that an administrator set. */
    powerManagementLimit: ofDevice('nvmlDeviceGetPowerManagementLimit'),
    /** mW: the lowest of all limits. */
    enforcedPowerLimit: ofDevice('nvmlDeviceGetEnforcedPowerLimit'),
    /** mJ since the driver was loaded; on GH200 of the whole module. */
    totalEnergyConsumption: (device: NvmlDevice) => u64('nvmlDeviceGetTotalEnergyConsumption', device),
    /** Percent of the intended maximum, so it may pass 100. */
    fanSpeed: ofDevice('nvmlDeviceGetFanSpeed'),
    /** MHz. @param which {@link NVML_CLOCK} */
    clock: chosen('nvmlDeviceGetClockInfo'),
    maxClock: chosen('nvmlDeviceGetMaxClockInfo'),
    /** 0 (fastest) to 15; 32 unknown. */
    performanceState: ofDevice('nvmlDeviceGetPerformanceState'),
    /** Bits of `nvmlClocksEventReason…` */
    clocksEventReasons: (device: NvmlDevice) =>
      u64(
        newest(['nvmlDeviceGetCurrentClocksEventReasons', 'nvmlDeviceGetCurrentClocksThrottleReasons']),
        device,
      ),

    pcieGeneration: ofDevice('nvmlDeviceGetCurrPcieLinkGeneration'),
    pcieWidth: ofDevice('nvmlDeviceGetCurrPcieLinkWidth'),
    maxPcieGeneration: ofDevice('nvmlDeviceGetMaxPcieLinkGeneration'),
    maxPcieWidth: ofDevice('nvmlDeviceGetMaxPcieLinkWidth'),
    pcieReplays: ofDevice('nvmlDeviceGetPcieReplayCounter'),

    eccMode: setting('nvmlDeviceGetEccMode'),
    /** A count. @param type and @param counter {@link NVML_ECC} */
    totalEccErrors: (device: NvmlDevice, type: number, counter: number) =>
      u64('nvmlDeviceGetTotalEccErrors', device, type, counter),
    /** Rows replaced since manufacture, on Ampere and newer. */
    remappedRows(device: NvmlDevice) {
      const out = [Buffer.alloc(4), Buffer.alloc(4), Buffer.alloc(4), Buffer.alloc(4)] as const
      call('nvmlDeviceGetRemappedRows', device, ...out)
      const [corrected, uncorrected, pending, failure] = out
      return {
        corrected: corrected.readUInt32LE(),
        uncorrected: uncorrected.readUInt32LE(),
        isPending: pending.readUInt32LE() !== 0,
        hasFailed: failure.readUInt32LE() !== 0,
      }
    },
    /** Before Ampere. */
    retiredPagesPending: ofDevice('nvmlDeviceGetRetiredPagesPendingStatus'),
    persistenceMode: ofDevice('nvmlDeviceGetPersistenceMode'),
    /** 0 default, 2 prohibited, 3 exclusive process */
    computeMode: ofDevice('nvmlDeviceGetComputeMode'),

    /**
     * Several figures in one call; each has a status of its own.
     *
     * @param wanted field ids of `nvml.h`, and the scope where one is needed (a link, or {@link NVML_ALL_LINKS})
     */
    fieldValues(
      device: NvmlDevice,
      wanted: readonly (readonly [fieldId: number, scopeId?: number])[],
    ): NvmlFieldValue[] {
      const {bytes, fields} = STRUCTS.nvmlFieldValue_t
      const out = Buffer.alloc(bytes * wanted.length)
      for (const [index, [fieldId, scopeId = 0]] of wanted.entries()) {
        out.writeUInt32LE(fieldId, index * bytes)
        out.writeUInt32LE(scopeId, index * bytes + fields.scopeId[0])
      }
      call('nvmlDeviceGetFieldValues', device, wanted.length, out)
      return wanted.map((_, index) => {
        const at = index * bytes
        const code = out.readUInt32LE(at + fields.nvmlReturn[0])
        const type = out.readUInt32LE(at + fields.valueType[0])
        const value = code === NVML.success ? readFieldValue(out, at + fields.value[0], type) : null
        return {status: code, value}
      })
    },

    /** Processes with memory on a GPU or MIG device; those of other users need no privilege, a MIG parent's do. */
    processes(device: NvmlDevice, kind: NvmlProcessKind): NvmlProcess[] {
      const symbol = newest(PROCESS_LISTS[kind])
      const counted = Buffer.alloc(4)
      let [code, room]: [number, number] = [NVML.insufficientSize, USUAL_PROCESSES]
      // The list can grow between an answer that tells its length and the next question.
      for (let attempt = 0; attempt < 5 && code === NVML.insufficientSize; attempt++) {
        const records = Buffer.alloc(room * LARGEST_RECORD_BYTES, UNTOUCHED)
        counted.writeUInt32LE(room)
        code = status(symbol, device, counted, records)
        if (code === NVML.success) return decodeProcesses(symbol, records, counted.readUInt32LE())
        room = 2 * counted.readUInt32LE() + 5
      }
      throw nvmlError(symbol, code)
    },
    /**
     * What each process had of the GPU's units since `lastSeenUs`; none is "idle". Not under MIG.
     *
     * @param lastSeenUs the newest `timeStamp` of the answer before; 0 the first time
     */
    processUtilization(device: NvmlDevice, lastSeenUs: number): NvmlProcessSample[] {
      const symbol = 'nvmlDeviceGetProcessUtilization'
      const layout = STRUCTS.nvmlProcessUtilizationSample_t
      const counted = Buffer.alloc(4)
      let code = status(symbol, device, null, counted, lastSeenUs)
      if (code === NVML.insufficientSize) {
        const out = Buffer.alloc(counted.readUInt32LE() * layout.bytes)
        code = status(symbol, device, out, counted, lastSeenUs)
        if (code === NVML.success) {
          return Array.from({length: counted.readUInt32LE()}, (_, index) =>
            readStruct(layout, out, index * layout.bytes),
          )
        }
      }
      if (code === NVML.success || code === NVML.notFound) return []
      throw nvmlError(symbol, code)
    },

    migMode: setting('nvmlDeviceGetMigMode'),
    maxMigDeviceCount: ofDevice('nvmlDeviceGetMaxMigDeviceCount'),
    /** @returns null where the index is free: they have gaps */
    migDevice(device: NvmlDevice, index: number): NvmlDevice | null {
      const out = Buffer.alloc(8)
      const code = status('nvmlDeviceGetMigDeviceHandleByIndex', device, index, out)
      if (code === NVML.notFound || code === NVML.invalidArgument) return null
      if (code !== NVML.success) throw nvmlError('nvmlDeviceGetMigDeviceHandleByIndex', code)
      return out.readBigUInt64LE()
    },
    /** Of a MIG device. */
    gpuInstanceId: ofDevice('nvmlDeviceGetGpuInstanceId'),
    computeInstanceId: ofDevice('nvmlDeviceGetComputeInstanceId'),
    /** Of a MIG device: what share of the GPU it is. */
    attributes: (device: NvmlDevice) =>
      struct('nvmlDeviceGetAttributes_v2', STRUCTS.nvmlDeviceAttributes_t, device),

    /** A set to register GPUs in; freed by the caller before `shutdown`. Linux only. */
    createEventSet: (): bigint => pointer('nvmlEventSetCreate'),
    freeEventSet: (set: bigint): void => call('nvmlEventSetFree', set),
    supportedEvents: (device: NvmlDevice) => u64('nvmlDeviceGetSupportedEventTypes', device),
    /** @param mask bits of {@link NVML_EVENT} that the GPU supports */
    registerEvents: (device: NvmlDevice, mask: number, set: bigint): void =>
      call('nvmlDeviceRegisterEvents', device, mask, set),
    /** The next event, waiting for up to `timeoutMs`. @returns null when nothing happened */
    waitForEvent(set: bigint, timeoutMs: number): NvmlEvent | null {
      const out = Buffer.alloc(STRUCTS.nvmlEventData_t.bytes)
      const code = status('nvmlEventSetWait_v2', set, out, timeoutMs)
      if (code === NVML.timeout) return null
      if (code !== NVML.success) throw nvmlError('nvmlEventSetWait_v2', code)
      const {eventType, eventData} = readStruct(STRUCTS.nvmlEventData_t, out)
      return {device: out.readBigUInt64LE(), type: eventType ?? 0, data: eventData ?? 0}
    },
  }

  function decodeProcesses(symbol: NvmlFunction, records: Buffer, count: number): NvmlProcess[] {
    if (count === 0) return []
    const has32 =
      symbol.endsWith('_v3') &&
      exports(MARKER_SYMBOLS.confidentialComputing) &&
      !exports(MARKER_SYMBOLS.processDetails)
    const isFirst = !/_v\d$/.test(symbol)
    const assumed = isFirst
      ? STRUCTS.nvmlProcessInfo_v1_t.bytes
      : has32
        ? LARGEST_RECORD_BYTES
        : STRUCTS.nvmlProcessInfo_v2_t.bytes
    return readProcesses(records, count, processRecordBytes(records, count, assumed))
  }
}
