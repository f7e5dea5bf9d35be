import {ResourceError} from '../foundation/index.js'
import type {VramDocument} from '../machine/index.js'
import type {LimitChange, LimitJson, SegmentJson} from '../segments/index.js'
import type {MonitorActions} from './actions.js'
import {askIfOffered, askServer, type RemoteServer} from './ask-server.js'
import {orderModel} from './controller-orders.js'
import {EngineRatesByUrl} from './engine-rates.js'
import type {SegmentFigures} from './host-look.js'
import type {HostWatch} from './host-watch.js'
import {lookAtModels} from './model-figures.js'
import {countersOfVram, figuresOfRemoteSegment, figuresOfVram, type OverHttp} from './remote-figures.js'
import {settledWithin} from './settled-within.js'
import {SideWatch} from './side-watch.js'
import {lookAtTiers} from './tier-figures.js'

/** A server on this side of the world answers in that time; a slower one is told as it was at the look before. */
const LEAST_PATIENCE_MS = 500

/**
 * A machine on which `kvctl serve` runs: what it serves of segments, GPUs, engines, tiers and models. When it does not answer,
 * its last figures stay, with the reason.
 */
export function watchRemoteHost(server: RemoteServer, names: readonly string[]): HostWatch {
  const {url, clock} = server
  const models = new SideWatch(() => lookAtModels(server), clock)
  const tiers = new SideWatch(() => lookAtTiers(server), clock)
  const rates = new EngineRatesByUrl()
  let takenAtMs: number | null = null
  let trouble: string | null = null
  let segments: readonly SegmentFigures[] = []
  let vram: VramDocument | null = null
  let whyNoVram: string | null = null
  let asking: Promise<void> | null = null
  let sidesAsked: Promise<unknown> = Promise.resolve()

  const askSegments = async (): Promise<void> => {
    try {
      const all = (await askServer(server, 'GET', '/segments')) as readonly OverHttp<SegmentJson>[]
      segments = all
        .filter(({ipc}) => names.length === 0 || names.includes(ipc))
        .map(segment => figuresOfRemoteSegment(segment))
      takenAtMs = Date.now()
      trouble = null
    } catch (error) {
      trouble = error instanceof Error ? error.message : String(error)
    }
  }
  const askVram = async (): Promise<void> => {
    try {
      vram = (await askIfOffered(server, '/vram?blocks=none')) as VramDocument | null
      whyNoVram = vram === null ? `${url} does not serve /vram` : null
      if (vram !== null) rates.read(countersOfVram(vram))
    } catch (error) {
      if (vram === null) whyNoVram = error instanceof Error ? error.message : String(error)
    }
  }
  const ask = async (): Promise<void> => {
    sidesAsked = Promise.all([models.refresh(), tiers.refresh()])
    await Promise.all([askSegments(), askVram()])
  }
  return {
    async look(patienceMs, signal) {
      asking ??= ask().finally(() => (asking = null))
      await settledWithin(
        asking.then(() => sidesAsked),
        Math.max(patienceMs, LEAST_PATIENCE_MS),
        signal,
      )
      const seen = figuresOfVram(vram, segments, engine => rates.of(engine))
      return {
        ...{host: url, takenAtMs, trouble, segments},
        ...seen,
        devicesMissing: seen.devicesMissing ?? whyNoVram,
        ...{models: models.known, tiers: tiers.known},
      }
    },
  }
}

/** Actions on such a machine; its server refuses what `kvctl limit` and `delete` refuse there. */
export function remoteActions(server: RemoteServer): MonitorActions {
  const path = (name: string): string => `/segments/${encodeURIComponent(name)}`
  return {
    async setLimit(_, name, {limitBytes, isForced}) {
      const wish = limitBytes === null ? {restore: true} : {limit: `${limitBytes}`}
      return limitChangeOf(
        (await askServer(server, 'PUT', path(name), {...wish, force: isForced})) as OverHttp<LimitJson>,
      )
    },
    async remove(_, name) {
      await askServer(server, 'DELETE', path(name))
    },
    prune: () =>
      Promise.reject(
        new ResourceError('NOT_REMOTE', `segments of ${server.url} are pruned there: kvctl prune`),
      ),
    async order(_, order, sleeper, signal) {
      if (sleeper.kind === 'model') return orderModel(server, order, sleeper.name, signal)
      throw new ResourceError(
        'NOT_REMOTE',
        `${sleeper.url} is an address of another machine: ${order} the model through its controller`,
      )
    },
  }
}

function limitChangeOf(json: OverHttp<LimitJson>): LimitChange {
  return {
    name: json.ipc,
    limitBytes: BigInt(json.limit_bytes),
    before: {
      limitBytes: BigInt(json.previous_limit_bytes),
      usedBytes: BigInt(json.used_bytes),
      preallocBytes: BigInt(json.prealloc_bytes),
    },
    startupBytes: json.startup_bytes === null ? null : BigInt(json.startup_bytes),
    outcome: json.outcome,
    explanation: json.explanation,
  }
}
