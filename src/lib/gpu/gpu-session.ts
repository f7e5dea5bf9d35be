import {readFileSync} from 'node:fs'
import {join} from 'node:path'
import {NativeError} from '../../native/native-error.js'
import {NVML_EVENT, type Nvml, type NvmlDevice} from '../../native/nvml.js'
import {driverTrouble} from './driver-state.js'
import {EnergyMeter} from './energy-meter.js'
import {
  askAll,
  IDENTITY,
  MEMORY,
  MIG_IDENTITY,
  QUESTIONS,
  unknownFigures,
  type Answer,
  type MigIdentity,
  type Questions,
} from './figures.js'
import type {
  DriverLook,
  GpuActivity,
  GpuHealth,
  GpuIdentity,
  GpuLook,
  GpuProcess,
  MigLook,
  Unavailable,
  UnavailableReason,
  XidEvent,
} from './gpu-look.js'
import {readGpuProcesses, SmUseReader, type ProcessAnswer} from './gpu-processes.js'
import {reasonOfError} from './unavailable.js'

export interface GpuSessionOptions {
  /** Null finds the library where drivers put it. */
  readonly libraryPath: string | null
  /** How long figures that seldom change stay as they were read. */
  readonly healthMs: number
  /** How long a lost GPU is left alone before the library is started anew to find it again. */
  readonly retryMs: number
  /** `/sys/bus/pci/devices`, where a sleeping GPU is seen without waking it. */
  readonly pciFolder: string
  /** What to ask; default all. */
  readonly figures?: keyof typeof QUESTIONS
}

/** What the process that talks to the driver says during one look, in this order. */
export type GpuReport =
  | {readonly kind: 'driver'; readonly driver: DriverLook; readonly count: number}
  | {readonly kind: 'gpu'; readonly gpu: GpuLook}
  | {readonly kind: 'done'}

/** What is asked: a GPU, by its index, or the library itself. */
export type GpuTask = number | 'driver' | 'events'

interface KnownGpu {
  readonly device: NvmlDevice
  readonly identity: Answer<GpuIdentity>
  health: Answer<GpuHealth>
  healthAtMs: number
  /** Why Xid events of this GPU stay unknown; null when they are told. */
  readonly withoutXids: UnavailableReason | null
}

const MOST_XIDS = 16
/** More events than this at once wait for the next look. */
const MOST_EVENTS_A_LOOK = 64

/** The library in this process: started once, its handles and lasting figures kept. Every call may block. */
export class GpuSession {
  readonly #options: GpuSessionOptions
  readonly #questions: Questions
  readonly #load: () => Nvml
  #nvml: Nvml | null = null
  #driver: DriverLook | null = null
  #events: bigint | null = null
  #isRestartDue = false
  #startedAtMs = 0
  readonly #gpus = new Map<number, KnownGpu>()
  readonly #xids = new Map<number, XidEvent[]>()
  readonly #energy = new EnergyMeter()
  #smUse = new SmUseReader()

  constructor(load: () => Nvml, options: GpuSessionOptions) {
    this.#load = load
    this.#options = options
    this.#questions = QUESTIONS[options.figures ?? 'all']
  }

  /**
   * Reads the driver and each GPU, one report after another. Events are taken when that is done, for the look after.
   *
   * @param skip indexes of GPUs that must not be asked, because they hung before
   * @param onTask told what is asked next, so that who listens knows where a call hangs
   */
  *look(
    skip: ReadonlySet<number>,
    onTask: (task: GpuTask) => void = () => undefined,
  ): Generator<GpuReport, void> {
    onTask('driver')
    if (this.#isRestartDue && Date.now() - this.#startedAtMs >= this.#options.retryMs) this.#stop()
    let count: number
    try {
      this.#driver ??= this.#start()
      count = this.#nvml!.deviceCount()
    } catch (error) {
      yield {kind: 'driver', ...this.#troubled(error)}
      yield {kind: 'done'}
      return
    }
    yield {kind: 'driver', driver: this.#driver, count}
    for (let index = 0; index < count; index++) {
      if (skip.has(index)) continue
      onTask(index)
      yield {kind: 'gpu', gpu: this.#readGpu(index)}
    }
    onTask('events')
    yield {kind: 'done'}
    this.#readEvents()
  }

  #start(): DriverLook {
    this.#nvml ??= this.#load()
    this.#nvml.init()
    this.#startedAtMs = Date.now()
    const nvml = this.#nvml
    const told = <T>(read: () => T): T | null => {
      try {
        return read()
      } catch (error) {
        reasonOfError(error)
        return null
      }
    }
    this.#events = told(() => nvml.createEventSet())
    const cuda = told(() => nvml.cudaDriverVersion())
    return {
      state: 'ok',
      problem: null,
      driverVersion: told(() => nvml.driverVersion()),
      nvmlVersion: told(() => nvml.nvmlVersion()),
      cudaVersion: cuda === null ? null : `${Math.floor(cuda / 1000)}.${(cuda % 1000) / 10}`,
    }
  }

  /** Handles do not outlive the library's shutdown; what it fails with does not matter to a new start. */
  #stop(): void {
    for (const end of [
      () => this.#events !== null && this.#nvml?.freeEventSet(this.#events),
      () => this.#nvml?.shutdown(),
    ]) {
      try {
        end()
      } catch (error) {
        reasonOfError(error)
      }
    }
    this.#driver = null
    this.#events = null
    this.#isRestartDue = false
    this.#gpus.clear()
    this.#smUse = new SmUseReader()
  }

  #troubled(error: unknown): {driver: DriverLook; count: number} {
    if (!(error instanceof NativeError)) throw error
    return {driver: driverTrouble(error.errno, error.message), count: 0}
  }

  #readGpu(index: number): GpuLook {
    let known: KnownGpu
    try {
      known = this.#gpus.get(index) ?? this.#meet(index)
    } catch (error) {
      return this.#unreadable(index, null, reasonOfError(error))
    }
    if (this.#isAsleep(known)) return this.#unreadable(index, known, 'asleep')

    const nvml = this.#nvml!
    const activity = this.#withEnergy(
      index,
      askAll<GpuActivity>(this.#questions.activity, nvml, known.device),
    )
    if (Object.values(activity.unavailable).includes('gpu_lost')) {
      return this.#unreadable(index, known, 'gpu_lost')
    }
    if (activity.unavailable['memoryTotalBytes'] === 'driver_error') {
      return this.#unreadable(index, known, 'driver_error')
    }

    if (Date.now() - known.healthAtMs >= this.#options.healthMs) {
      known.health = askAll(this.#questions.health, nvml, known.device)
      known.healthAtMs = Date.now()
    }
    const migDevices = known.health.values.isMigEnabled === true ? this.#readParts(known.device) : []
    const {processes, reason} =
      migDevices.length > 0
        ? processesOfParts(migDevices)
        : readGpuProcesses(nvml, known.device, this.#smUse.read(nvml, known.device, index))
    return {
      index,
      state: 'ok',
      ...(this.#questions.unasked.values as GpuActivity & GpuHealth),
      ...known.identity.values,
      ...activity.values,
      ...known.health.values,
      processes,
      migDevices,
      xids: known.withoutXids === null ? (this.#xids.get(index) ?? []) : null,
      unavailable: {
        ...this.#questions.unasked.unavailable,
        ...known.identity.unavailable,
        ...activity.unavailable,
        ...known.health.unavailable,
        ...(reason === null ? {} : {processes: reason}),
        ...(known.withoutXids === null ? {} : {xids: known.withoutXids}),
      },
    }
  }

  #withEnergy(index: number, activity: Answer<GpuActivity>): Answer<GpuActivity> {
    const {energyJoules, powerWatts} = activity.values
    if (energyJoules !== null || powerWatts === null) return activity
    const joules = this.#energy.add(index, powerWatts, performance.now())
    if (joules === null) return activity
    const energy = {energyJoules: joules, energySource: 'integrated_power'} as const
    const reasons = Object.entries(activity.unavailable).filter(([figure]) => !(figure in energy))
    return {values: {...activity.values, ...energy}, unavailable: Object.fromEntries(reasons)}
  }

  #meet(index: number): KnownGpu {
    const nvml = this.#nvml!
    const device = nvml.deviceByIndex(index)
    const identity = askAll<GpuIdentity>(IDENTITY, nvml, device)
    const known: KnownGpu = {
      device,
      identity,
      health: askAll<GpuHealth>(this.#questions.health, nvml, device),
      healthAtMs: Date.now(),
      withoutXids: this.#hearXids(device),
    }
    const reasons = Object.values(identity.unavailable)
    // One that was lost from the start is asked for its name again.
    if (!reasons.includes('gpu_lost') && !reasons.includes('driver_error')) this.#gpus.set(index, known)
    return known
  }

  #hearXids(device: NvmlDevice): UnavailableReason | null {
    if (this.#events === null) return 'not_supported'
    try {
      const supported = this.#nvml!.supportedEvents(device) ?? 0
      if ((supported & NVML_EVENT.xid) === 0) return 'not_supported'
      this.#nvml!.registerEvents(device, NVML_EVENT.xid, this.#events)
      return null
    } catch (error) {
      return reasonOfError(error)
    }
  }

  #readEvents(): void {
    if (this.#events === null) return
    try {
      for (let count = 0; count < MOST_EVENTS_A_LOOK; count++) {
        const event = this.#nvml!.waitForEvent(this.#events, 0)
        if (event === null) return
        const index = [...this.#gpus].find(([, {device}]) => device === event.device)?.[0]
        if (index === undefined || event.type !== NVML_EVENT.xid) continue
        const before = this.#xids.get(index) ?? []
        this.#xids.set(index, [...before, {xid: event.data, seenAtMs: Date.now()}].slice(-MOST_XIDS))
      }
    } catch (error) {
      // A lost GPU ends the wait with its own code; its row says so.
      reasonOfError(error)
    }
  }

  #isAsleep({identity}: KnownGpu): boolean {
    const busId = identity.values.pciBusId
    if (busId === null) return false
    const [domain = '', ...rest] = busId.toLowerCase().split(':')
    try {
      const path = join(
        this.#options.pciFolder,
        [domain.slice(-4), ...rest].join(':'),
        'power/runtime_status',
      )
      return readFileSync(path, 'utf8').trim() === 'suspended'
    } catch {
      return false
    }
  }

  #unreadable(index: number, known: KnownGpu | null, reason: UnavailableReason): GpuLook {
    if (reason !== 'asleep') this.#isRestartDue = true
    const state = reason === 'asleep' ? 'asleep' : reason === 'gpu_lost' ? 'lost' : 'failed'
    return unreadGpu(index, state, reason, known?.identity)
  }

  #readParts(parent: NvmlDevice): MigLook[] {
    const nvml = this.#nvml!
    const parts: MigLook[] = []
    try {
      const count = nvml.maxMigDeviceCount(parent)
      for (let index = 0; index < count; index++) {
        const device = nvml.migDevice(parent, index)
        if (device !== null) parts.push(readPart(nvml, index, device))
      }
    } catch (error) {
      reasonOfError(error)
    }
    return parts
  }
}

/** A GPU that was not read, with what is known of it from before. */
export function unreadGpu(
  index: number,
  state: GpuLook['state'],
  reason: UnavailableReason,
  identity?: Answer<GpuIdentity>,
): GpuLook {
  const unknown = unknownFigures(reason)
  const figures = {...unknown.values, ...identity?.values}
  const reasons = {...unknown.unavailable, ...identity?.unavailable}
  return {
    index,
    state,
    ...figures,
    processes: null,
    migDevices: [],
    xids: null,
    unavailable: {
      ...Object.fromEntries(
        Object.entries(figures)
          .filter(([, value]) => value === null)
          .map(([figure]) => [figure, reasons[figure] ?? reason]),
      ),
      processes: reason,
      xids: reason,
    },
  }
}

function readPart(nvml: Nvml, index: number, device: NvmlDevice): MigLook {
  const identity = askAll<MigIdentity>(MIG_IDENTITY, nvml, device)
  const memory = askAll(MEMORY, nvml, device)
  const {processes, reason} = readGpuProcesses(nvml, device, null)
  const unavailable: Unavailable = {
    ...identity.unavailable,
    ...memory.unavailable,
    ...(reason === null ? {} : {processes: reason}),
  }
  return {index, ...identity.values, ...memory.values, processes, unavailable}
}

/** The list of a GPU in MIG mode needs privilege; those of its parts do not. */
function processesOfParts(parts: readonly MigLook[]): ProcessAnswer {
  const lists: GpuProcess[] = []
  for (const {processes, unavailable} of parts) {
    if (processes === null) return {processes: null, reason: unavailable['processes'] ?? 'no_data'}
    lists.push(...processes)
  }
  return {processes: lists, reason: null}
}
