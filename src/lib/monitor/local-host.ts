import type {Machine, MachineEngine, MachineLook} from '../machine/index.js'
import {lookAtSegments, type SegmentStore, type SegmentsLook} from '../segments/index.js'
import {EngineRatesByUrl, type EngineCounters} from './engine-rates.js'
import {deviceFigures, engineFigures, processFigures, segmentFigures} from './figures-of.js'
import type {HostWatch} from './host-watch.js'
import type {ModelFigures} from './model-figures.js'
import type {SideWatch} from './side-watch.js'
import type {TierFigures} from './tier-figures.js'
import {settledWithin} from './settled-within.js'

/** A machine with the cache workers and controllers beside it. */
export interface MachineWithSides extends Pick<Machine, 'look'> {
  readonly tiers: readonly SideWatch<TierFigures>[]
  readonly models: readonly SideWatch<ModelFigures>[]
}

export interface LocalHostParts {
  /** How the machine is called on the screen. */
  readonly host: string
  readonly segments: SegmentStore
  /** Built when it is asked for, after the first look. */
  readonly machine: () => Promise<MachineWithSides>
}

/** This machine. @param names the segments to show; none means all */
export function watchLocalHost(parts: LocalHostParts, names: readonly string[]): HostWatch {
  const {host, segments, machine} = parts
  let seen: SegmentsLook = {looks: [], missing: []}
  let seenAtMs: number | null = null
  let trouble: string | null = null
  let last: MachineLook | null = null
  let sides: Pick<MachineWithSides, 'tiers' | 'models'> = {tiers: [], models: []}
  let asking: Promise<void> | null = null
  let sidesAsked: Promise<unknown> = Promise.resolve()
  const rates = new EngineRatesByUrl()

  const lookAtSegmentsNow = async (): Promise<void> => {
    try {
      seen = await lookAtSegments(segments, names)
      seenAtMs = Date.now()
      trouble = null
    } catch (error) {
      trouble = error instanceof Error ? error.message : String(error)
    }
  }
  const askMachine = async (signal: AbortSignal): Promise<void> => {
    // Owners of segments that are not shown are known to the machine all the same.
    const all = names.length === 0 ? seen.looks : undefined
    const parts = await machine()
    sides = parts
    sidesAsked = Promise.all([...parts.tiers, ...parts.models].map(side => side.refresh()))
    last = await parts.look(signal, all)
    rates.read(new Map(last.engines.flatMap(countersOf)))
  }

  return {
    async look(patienceMs, signal) {
      await lookAtSegmentsNow()
      signal.throwIfAborted()
      // Drivers and engines are first asked when something is on the screen, and one question at a time: a driver that hangs
      // is asked no faster than it answers.
      if (patienceMs > 0) asking ??= askMachine(signal).finally(() => (asking = null))
      if (asking)
        await settledWithin(
          asking.then(() => sidesAsked),
          patienceMs,
          signal,
        )
      const figures = segmentFigures(seen)
      const engines = engineFigures(last?.engines ?? [], url => rates.of(url))
      return {
        ...{host, takenAtMs: seenAtMs, trouble, segments: figures},
        ...deviceFigures(last?.gpus ?? null),
        processes: processFigures(last?.gpus ?? null, figures, engines),
        engines,
        tiers: sides.tiers.flatMap(({known}) => known),
        models: sides.models.flatMap(({known}) => known),
      }
    },
  }
}

function countersOf({url, figures, readAtMs}: MachineEngine): [string, EngineCounters][] {
  if (figures === null || readAtMs === null) return []
  const {promptTokens, generationTokens, firstTokens, firstTokenSeconds} = figures
  return [[url, {readAtMs, promptTokens, generationTokens, firstTokens, firstTokenSeconds}]]
}
