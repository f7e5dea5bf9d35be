import type {Logger} from '../foundation/index.js'
import type {GpuSampler} from '../gpu/index.js'
import type {IdentityWatch} from '../processes/index.js'
import {lookAtSegments, type OwnedLook, type SegmentStore} from '../segments/index.js'
import {blockBytesOf} from './block-bytes.js'
import type {EngineLook} from './engine-look.js'
import {engineMemory} from './engine-memory.js'
import type {EngineWatch} from './engine-watch.js'
import {gpuShares} from './gpu-shares.js'
import {identifyTenants, type GpuTenant, type TenantsLook} from './gpu-tenants.js'
import type {MachineEngine, MachineLook} from './machine-look.js'

export interface MachineOptions {
  readonly sampler: GpuSampler
  readonly segments: SegmentStore
  readonly engines: EngineWatch
  readonly identities: IdentityWatch
  readonly logger: Logger
}

/** One view of this host. */
export interface Machine {
  /**
   * GPUs, segments and engines of one moment, joined. Never fails because of one of them.
   *
   * @param segments all of this machine's, where the caller has just looked at them
   * @throws the signal's reason when aborted first
   */
  look(signal?: AbortSignal, segments?: readonly OwnedLook[]): Promise<MachineLook>
  /** Ends the process that talks to the driver, without waiting for it. */
  close(): void
}

export function createMachine(options: MachineOptions): Machine {
  const {sampler, segments: store, engines: watch, identities, logger} = options
  let isFolderSeen = true
  const seeSegments = async (): Promise<readonly OwnedLook[]> => {
    try {
      const {looks} = await lookAtSegments(store, [])
      isFolderSeen = true
      return looks
    } catch (error) {
      if (isFolderSeen)
        logger.warn(`no segments are seen: ${error instanceof Error ? error.message : String(error)}`)
      isFolderSeen = false
      return []
    }
  }
  return {
    async look(signal, seen) {
      const [look, segments] = await Promise.all([sampler.look(signal), seen ?? seeSegments()])
      const gpus = await identifyTenants(look, segments, identities)
      const engines = await Promise.all(
        (await watch.look(workingPids(gpus, segments))).map(engine => joinEngine(engine, gpus, segments)),
      )
      const shares = gpus.gpus.map(gpu => gpuShares(gpu, engines))
      return {takenAtMs: look.takenAtMs, gpus, segments, engines, shares}
    },
    close: () => sampler.close(),
  }
}

/** Pids that are worth looking for an engine: they mean the same here as where they were told. */
function workingPids({gpus}: TenantsLook, segments: readonly OwnedLook[]): number[] {
  const onGpus = tenantsOf(gpus).filter(({unidentified}) => unidentified === null)
  const owners = segments.flatMap(({state}) => state.pid ?? [])
  return [...new Set([...onGpus.map(({pid}) => pid), ...owners])].sort((one, two) => one - two)
}

function tenantsOf(gpus: TenantsLook['gpus']): readonly GpuTenant[] {
  return gpus.flatMap(({processes}) => processes ?? [])
}

async function joinEngine(
  engine: EngineLook,
  {gpus}: TenantsLook,
  segments: readonly OwnedLook[],
): Promise<MachineEngine> {
  const pids = new Set(engine.pids)
  const isOwn = ({pid, unidentified}: GpuTenant): boolean => unidentified === null && pids.has(pid)
  const own = gpus.filter(({processes}) => processes?.some(isOwn))
  const rows = tenantsOf(own).filter(isOwn)
  const segment = segments.find(({state}) => state.pid !== null && pids.has(state.pid))
  const block = await blockBytesOf(engine, Math.max(1, own.length))
  const areBytesTold = rows.length > 0 && rows.every(({usedBytes}) => usedBytes !== null)
  return {
    ...engine,
    segment: segment?.name ?? null,
    gpuPids: [...new Set(rows.map(({pid}) => pid))],
    gpuIndexes: own.map(({index}) => index),
    block,
    memory: engineMemory({
      processBytes: areBytesTold ? rows.reduce((sum, {usedBytes}) => sum + usedBytes!, 0) : null,
      segment: segment
        ? {
            usedBytes: Number(segment.record.usedBytes),
            preallocBytes: Number(segment.record.preallocBytes),
          }
        : null,
      pools: engine.pools,
      blockBytes: block?.bytes ?? null,
    }),
  }
}
