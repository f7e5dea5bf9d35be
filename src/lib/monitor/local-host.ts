import type {Clock} from '../foundation/index.js'
import type {GpuSampler} from '../gpu/index.js'
import {identifyTenants, type TenantsLook} from '../machine/index.js'
import {lookAtSegments, type SegmentStore, type SegmentsLook} from '../segments/index.js'
import {deviceFigures, processFigures, segmentFigures} from './figures-of.js'
import type {HostWatch} from './host-watch.js'
import {settledWithin} from './settled-within.js'

export interface LocalHostParts {
  /** How the machine is called on the screen. */
  readonly host: string
  readonly segments: SegmentStore
  readonly gpus: GpuSampler
  readonly clock: Clock
}

/** This machine. @param names the segments to show; none means all */
export function watchLocalHost(parts: LocalHostParts, names: readonly string[]): HostWatch {
  const {host, segments, gpus, clock} = parts
  let seen: SegmentsLook = {looks: [], missing: []}
  let seenAtMs = Date.now()
  let trouble: string | null = null
  let tenants: TenantsLook | null = null
  let asking: Promise<void> | null = null

  const lookAtSegmentsNow = async (): Promise<void> => {
    try {
      seen = await lookAtSegments(segments, names)
      seenAtMs = Date.now()
      trouble = null
    } catch (error) {
      trouble = error instanceof Error ? error.message : String(error)
    }
  }
  const askGpus = async (signal: AbortSignal): Promise<void> => {
    tenants = await identifyTenants(await gpus.look(signal), seen.looks)
  }

  return {
    async look(patienceMs, signal) {
      await lookAtSegmentsNow()
      signal.throwIfAborted()
      // One question at a time: a driver that hangs is asked no faster than it answers.
      asking ??= askGpus(signal).finally(() => (asking = null))
      await settledWithin(asking, patienceMs, clock, signal)
      const figures = segmentFigures(seen)
      return {
        ...{host, takenAtMs: seenAtMs, trouble, segments: figures},
        ...deviceFigures(tenants),
        processes: processFigures(tenants, figures),
      }
    },
  }
}
