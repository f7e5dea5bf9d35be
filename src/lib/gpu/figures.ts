import {NVML_ALL_LINKS, NVML_CLOCK, NVML_ECC, type Nvml, type NvmlDevice} from '../../native/nvml.js'
import type {
  GpuActivity,
  GpuFigures,
  GpuHealth,
  GpuIdentity,
  MemoryFigures,
  Unavailable,
  UnavailableReason,
} from './gpu-look.js'
import {reasonOfError, reasonOfStatus} from './unavailable.js'

/** What one question brought: values, and reasons for those that are null. */
export interface Answer<T> {
  readonly values: T
  readonly unavailable: Readonly<Record<string, UnavailableReason>>
}

/** One call of the driver and the figures that come of it. */
interface Question<T> {
  readonly figures: readonly (keyof T & string)[]
  readonly ask: (nvml: Nvml, device: NvmlDevice) => Answer<Partial<T>>
}

/**
 * Puts every question to a device; what fails is null, with its reason, and the rest goes on.
 *
 * @param onLost called when the driver says that the GPU is gone; the remaining questions are not put
 */
export function askAll<T>(questions: readonly Question<T>[], nvml: Nvml, device: NvmlDevice): Answer<T> {
  const values: Partial<T> = {}
  const unavailable: Record<string, UnavailableReason> = {}
  let isLost = false
  for (const {figures, ask} of questions) {
    let answer: Answer<Partial<T>>
    try {
      answer = isLost ? without(figures, 'gpu_lost') : ask(nvml, device)
    } catch (error) {
      answer = without(figures, reasonOfError(error))
    }
    Object.assign(values, answer.values)
    for (const figure in answer.unavailable) {
      const reason = answer.unavailable[figure]!
      unavailable[figure] = reason
      isLost ||= reason === 'gpu_lost'
    }
  }
  return {values: values as T, unavailable}
}

/** The answer when nothing may or can be asked. */
export function withoutAll<T>(questions: readonly Question<T>[], reason: UnavailableReason): Answer<T> {
  return without(
    questions.flatMap(({figures}) => figures),
    reason,
  ) as Answer<T>
}

function without<T>(figures: readonly (keyof T & string)[], reason: UnavailableReason): Answer<Partial<T>> {
  return {
    values: Object.fromEntries(figures.map(figure => [figure, null])) as Partial<T>,
    unavailable: Object.fromEntries(figures.map(figure => [figure, reason])),
  }
}

/** A question whose figures are all there or all missing; a null among them is the driver's "not available". */
function together<T, K extends keyof T & string>(
  figures: readonly K[],
  read: (nvml: Nvml, device: NvmlDevice) => Pick<T, K>,
): Question<T> {
  return {
    figures,
    ask(nvml, device) {
      const values = read(nvml, device)
      const unavailable: Record<string, UnavailableReason> = {}
      for (const figure of figures) if (values[figure] === null) unavailable[figure] = 'no_data'
      return {values: values as unknown as Partial<T>, unavailable}
    },
  }
}

function alone<T, K extends keyof T & string>(
  figure: K,
  read: (nvml: Nvml, device: NvmlDevice) => T[K],
): Question<T> {
  return together<T, K>([figure], (nvml, device) => ({[figure]: read(nvml, device)}) as Pick<T, K>)
}

/** `fieldId` of `nvml.h`, its scope, and what to make of its number. */
type Field = readonly [fieldId: number, scopeId: number, convert: (value: number) => number | string]

/** Several field values in one call of the driver, each missing for itself. */
function fieldsOf<T>(fields: Readonly<Partial<Record<keyof T & string, Field>>>): Question<T> {
  const entries = Object.entries(fields) as [keyof T & string, Field][]
  const wanted = entries.map(([, [fieldId, scopeId]]) => [fieldId, scopeId] as const)
  return {
    figures: entries.map(([figure]) => figure),
    ask(nvml, device) {
      const answers = nvml.fieldValues(device, wanted)
      const values: Record<string, unknown> = {}
      const unavailable: Record<string, UnavailableReason> = {}
      for (const [index, [figure, [, , convert]]] of entries.entries()) {
        const {status, value} = answers[index]!
        values[figure] = value === null ? null : convert(value)
        if (value === null) unavailable[figure] = status === 0 ? 'no_data' : reasonOfStatus(status)
      }
      return {values: values as Partial<T>, unavailable}
    },
  }
}

const asItIs = (value: number): number => value
const kilo = (value: number | null): number | null => (value === null ? null : value / 1000)
const word = (words: Readonly<Record<number, string>>, value: number): string => words[value] ?? String(value)

/** What the kernel calls -1. */
const NO_NODE = 0xffff_ffff

/** `nvmlDeviceArchitecture_t` */
const ARCHITECTURES = {
  2: 'kepler',
  3: 'maxwell',
  4: 'pascal',
  5: 'volta',
  6: 'turing',
  7: 'ampere',
  8: 'ada',
  9: 'hopper',
  10: 'blackwell',
  13: 'rubin',
}
const COMPUTE_MODES = {0: 'default', 2: 'prohibited', 3: 'exclusive_process'}
/** Field 230. */
const RECOVERY_ACTIONS = {0: 'none', 1: 'reset', 2: 'reboot', 3: 'drain_p2p', 4: 'drain_and_reset'}

/** Bits of `nvmlClocksEventReason…` */
const THROTTLE_REASONS: readonly (readonly [bit: number, word: string])[] = [
  [0x1, 'idle'],
  [0x2, 'application_clocks'],
  [0x4, 'software_power_cap'],
  [0x8, 'hardware_slowdown'],
  [0x10, 'sync_boost'],
  [0x20, 'software_thermal'],
  [0x40, 'hardware_thermal'],
  [0x80, 'hardware_power_brake'],
  [0x100, 'display_clocks'],
]

/** @returns the words of a mask; a bit that newer drivers added stands as its number in hexadecimal */
export function throttleReasons(mask: number): string[] {
  const known = THROTTLE_REASONS.filter(([bit]) => (mask & bit) !== 0).map(([, reason]) => reason)
  const rest = THROTTLE_REASONS.reduce((left, [bit]) => left & ~bit, mask)
  return rest === 0 ? known : [...known, `0x${(rest >>> 0).toString(16)}`]
}

export const IDENTITY: readonly Question<GpuIdentity>[] = [
  alone('name', (nvml, gpu) => nvml.deviceName(gpu)),
  alone('uuid', (nvml, gpu) => nvml.deviceUuid(gpu)),
  alone('serial', (nvml, gpu) => nvml.deviceSerial(gpu)),
  alone('vbiosVersion', (nvml, gpu) => nvml.vbiosVersion(gpu)),
  alone('pciBusId', (nvml, gpu) => nvml.pciInfo(gpu).busId),
  alone('minorNumber', (nvml, gpu) => nvml.minorNumber(gpu)),
  alone('architecture', (nvml, gpu) => word(ARCHITECTURES, nvml.architecture(gpu))),
  alone('computeCapability', (nvml, gpu) => nvml.computeCapability(gpu).join('.')),
  alone('numaNode', (nvml, gpu) => {
    const node = nvml.numaNode(gpu)
    return node === NO_NODE ? null : node
  }),
  alone('maxSmClockMhz', (nvml, gpu) => nvml.maxClock(gpu, NVML_CLOCK.sm)),
  alone('maxMemoryClockMhz', (nvml, gpu) => nvml.maxClock(gpu, NVML_CLOCK.memory)),
  alone('maxPcieGeneration', (nvml, gpu) => nvml.maxPcieGeneration(gpu)),
  alone('maxPcieWidth', (nvml, gpu) => nvml.maxPcieWidth(gpu)),
  alone('shutdownCelsius', (nvml, gpu) => nvml.temperatureThreshold(gpu, 0)),
  alone('slowdownCelsius', (nvml, gpu) => nvml.temperatureThreshold(gpu, 1)),
]

export const MEMORY: readonly Question<MemoryFigures>[] = [
  together(['memoryTotalBytes', 'memoryFreeBytes', 'memoryUsedWithReservedBytes'], (nvml, gpu) => {
    const {total, free, used} = nvml.memoryInfo(gpu)
    return {memoryTotalBytes: total, memoryFreeBytes: free, memoryUsedWithReservedBytes: used}
  }),
  together(['memoryUsedBytes', 'memoryReservedBytes'], (nvml, gpu) => {
    const {used, reserved} = nvml.memoryInfoV2(gpu)
    return {memoryUsedBytes: used, memoryReservedBytes: reserved}
  }),
]

export const ACTIVITY: readonly Question<GpuActivity>[] = [
  ...(MEMORY as readonly Question<GpuActivity>[]),
  together(['bar1TotalBytes', 'bar1UsedBytes'], (nvml, gpu) => {
    const {bar1Total, bar1Used} = nvml.bar1MemoryInfo(gpu)
    return {bar1TotalBytes: bar1Total, bar1UsedBytes: bar1Used}
  }),
  together(['utilizationPercent', 'memoryAccessPercent'], (nvml, gpu) => {
    const {gpu: utilizationPercent, memory: memoryAccessPercent} = nvml.utilizationRates(gpu)
    return {utilizationPercent, memoryAccessPercent}
  }),
  alone('encoderPercent', (nvml, gpu) => nvml.encoderUtilization(gpu)),
  alone('decoderPercent', (nvml, gpu) => nvml.decoderUtilization(gpu)),
  alone('jpegPercent', (nvml, gpu) => nvml.jpgUtilization(gpu)),
  alone('opticalFlowPercent', (nvml, gpu) => nvml.ofaUtilization(gpu)),
  alone('temperatureCelsius', (nvml, gpu) => nvml.temperature(gpu)),
  alone('powerWatts', (nvml, gpu) => kilo(nvml.powerUsage(gpu))),
  together(['energyJoules', 'energySource'], (nvml, gpu) => {
    const energyJoules = kilo(nvml.totalEnergyConsumption(gpu))
    return {energyJoules, energySource: energyJoules === null ? null : 'counter'}
  }),
  alone('fanPercent', (nvml, gpu) => nvml.fanSpeed(gpu)),
  alone('graphicsClockMhz', (nvml, gpu) => nvml.clock(gpu, NVML_CLOCK.graphics)),
  alone('smClockMhz', (nvml, gpu) => nvml.clock(gpu, NVML_CLOCK.sm)),
  alone('memoryClockMhz', (nvml, gpu) => nvml.clock(gpu, NVML_CLOCK.memory)),
  alone('videoClockMhz', (nvml, gpu) => nvml.clock(gpu, NVML_CLOCK.video)),
  alone('performanceState', (nvml, gpu) => {
    const state = nvml.performanceState(gpu)
    return state > 15 ? null : state
  }),
  alone('throttleReasons', (nvml, gpu) => {
    const mask = nvml.clocksEventReasons(gpu)
    return mask === null ? null : throttleReasons(mask)
  }),
  fieldsOf<GpuActivity>({
    memoryTemperatureCelsius: [82, 0, asItIs],
    powerInstantWatts: [186, 0, milliwatts => milliwatts / 1000],
    powerCapThrottleNs: [74, 0, asItIs],
    syncBoostThrottleNs: [76, 0, asItIs],
    softwareThermalThrottleNs: [269, 0, asItIs],
    hardwareThermalThrottleNs: [270, 0, asItIs],
    powerBrakeThrottleNs: [271, 0, asItIs],
    pcieSentBytes: [197, 0, asItIs],
    pcieReceivedBytes: [198, 0, asItIs],
    nvlinkSentBytes: [138, NVML_ALL_LINKS, kib => kib * 1024],
    nvlinkReceivedBytes: [139, NVML_ALL_LINKS, kib => kib * 1024],
  }),
]

const eccCount =
  (type: number, counter: number) =>
  (nvml: Nvml, gpu: NvmlDevice): number | null =>
    nvml.totalEccErrors(gpu, type, counter)

export const HEALTH: readonly Question<GpuHealth>[] = [
  alone('powerLimitWatts', (nvml, gpu) => kilo(nvml.powerManagementLimit(gpu))),
  alone('enforcedPowerLimitWatts', (nvml, gpu) => kilo(nvml.enforcedPowerLimit(gpu))),
  alone('pcieGeneration', (nvml, gpu) => nvml.pcieGeneration(gpu)),
  alone('pcieWidth', (nvml, gpu) => nvml.pcieWidth(gpu)),
  alone('pcieReplays', (nvml, gpu) => nvml.pcieReplays(gpu)),
  alone('isEccEnabled', (nvml, gpu) => nvml.eccMode(gpu).current === 1),
  alone('eccCorrected', eccCount(NVML_ECC.corrected, NVML_ECC.sinceReset)),
  alone('eccUncorrected', eccCount(NVML_ECC.uncorrected, NVML_ECC.sinceReset)),
  alone('eccCorrectedLifetime', eccCount(NVML_ECC.corrected, NVML_ECC.lifetime)),
  alone('eccUncorrectedLifetime', eccCount(NVML_ECC.uncorrected, NVML_ECC.lifetime)),
  together(
    ['remappedRowsCorrected', 'remappedRowsUncorrected', 'isRowRemapPending', 'hasRowRemapFailed'],
    (nvml, gpu) => {
      const {corrected, uncorrected, isPending, hasFailed} = nvml.remappedRows(gpu)
      return {
        remappedRowsCorrected: corrected,
        remappedRowsUncorrected: uncorrected,
        isRowRemapPending: isPending,
        hasRowRemapFailed: hasFailed,
      }
    },
  ),
  alone('isPageRetirementPending', (nvml, gpu) => nvml.retiredPagesPending(gpu) !== 0),
  alone('isPersistent', (nvml, gpu) => nvml.persistenceMode(gpu) === 1),
  alone('computeMode', (nvml, gpu) => word(COMPUTE_MODES, nvml.computeMode(gpu))),
  alone('isMigEnabled', (nvml, gpu) => nvml.migMode(gpu).current === 1),
  fieldsOf<GpuHealth>({recoveryAction: [230, 0, action => word(RECOVERY_ACTIONS, action)]}),
]

/** What is asked in each look, and every few seconds; the rest is null for that reason. */
export interface Questions {
  readonly activity: readonly Question<GpuActivity>[]
  readonly health: readonly Question<GpuHealth>[]
  readonly unasked: Answer<Partial<GpuFigures>>
}

const SHOWN: ReadonlySet<string> = new Set<keyof GpuActivity | keyof GpuHealth>([
  ...(['memoryTotalBytes', 'memoryUsedBytes', 'utilizationPercent', 'temperatureCelsius'] as const),
  ...(['powerWatts', 'powerLimitWatts', 'enforcedPowerLimitWatts', 'throttleReasons'] as const),
  // Where the parts of a GPU are looked for.
  'isMigEnabled',
])

const isShown = ({figures}: {readonly figures: readonly string[]}): boolean =>
  figures.some(figure => SHOWN.has(figure))

/** Everything; and what a screen shows beside names and processes, for half of the calls. */
export const QUESTIONS: Readonly<Record<'all' | 'shown', Questions>> = {
  all: {activity: ACTIVITY, health: HEALTH, unasked: {values: {}, unavailable: {}}},
  shown: {
    activity: ACTIVITY.filter(isShown),
    health: HEALTH.filter(isShown),
    unasked: without<GpuActivity & GpuHealth>(
      [...ACTIVITY, ...HEALTH].filter(question => !isShown(question)).flatMap(({figures}) => figures),
      'not_asked',
    ),
  },
}

/** What a MIG device says about itself beyond memory and processes. */
export interface MigIdentity {
  readonly name: string | null
  readonly uuid: string | null
  readonly gpuInstanceId: number | null
  readonly computeInstanceId: number | null
  readonly multiprocessors: number | null
}

export const MIG_IDENTITY: readonly Question<MigIdentity>[] = [
  alone('name', (nvml, part) => nvml.deviceName(part)),
  alone('uuid', (nvml, part) => nvml.deviceUuid(part)),
  alone('gpuInstanceId', (nvml, part) => nvml.gpuInstanceId(part)),
  alone('computeInstanceId', (nvml, part) => nvml.computeInstanceId(part)),
  alone('multiprocessors', (nvml, part) => nvml.attributes(part).multiprocessorCount),
]

/** What a look told of who the GPU is. */
export function identityOf(look: GpuIdentity & {readonly unavailable: Unavailable}): Answer<GpuIdentity> {
  const names = IDENTITY.flatMap(({figures}) => figures)
  const reasons = names.filter(name => name in look.unavailable).map(name => [name, look.unavailable[name]!])
  return {
    values: Object.fromEntries(names.map(name => [name, look[name]])) as unknown as GpuIdentity,
    unavailable: Object.fromEntries(reasons) as Unavailable,
  }
}

/** A GPU about which nothing is known but the reason. */
export function unknownFigures(reason: UnavailableReason): Answer<GpuFigures> {
  const parts = [withoutAll(IDENTITY, reason), withoutAll(ACTIVITY, reason), withoutAll(HEALTH, reason)]
  return {
    values: Object.assign({}, ...parts.map(({values}) => values)) as GpuFigures,
    unavailable: Object.assign(
      {},
      ...parts.map(part => part.unavailable),
    ) as Answer<GpuFigures>['unavailable'],
  }
}
