import type {EmbeddedWorker} from './embedded-worker.js'
import {summaryOf, type TaskSummary} from './periodic-task.js'
import type {TierFigures} from './storage-backend.js'
import type {CacheObserver, WorkerTotals} from './worker-figures.js'

/** What a metrics page shows of a worker. */
export interface CacheFigures {
  /** LMCache's labels. */
  readonly labels: Readonly<Record<'model_name' | 'worker_id' | 'role' | 'served_model_name', string>>
  look(): CacheLook
  observe(observer: CacheObserver): void
  /** Zeroes totals. */
  reset(): void
}

interface CacheLook {
  readonly totals: WorkerTotals
  readonly cpu: TierFigures
  readonly disk: TierFigures | null
  readonly remote: TierFigures | null
  readonly evictions: {readonly count: number; readonly keys: number; readonly failed: number}
  readonly poolBytes: number
  readonly poolObjects: number
  readonly forcedUnpins: number
  readonly pinnedLookups: number
  readonly isHealthy: boolean
  readonly tasks: TaskSummary
  readonly statistics: {
    readonly isCollecting: boolean
    readonly total: number
    readonly unique: number
    readonly requests: number
  }
}

export function cacheFigures(worker: EmbeddedWorker): CacheFigures {
  const {identity, store, statistics} = worker
  const tier = (name: string): TierFigures | null =>
    store.tiers.find(one => one.name === name)?.figures ?? null
  return {
    labels: {
      ...{model_name: identity.model, worker_id: String(identity.workerId), role: 'worker'},
      served_model_name: identity.servedModel ?? identity.model,
    },
    look: () => ({
      totals: worker.totals,
      cpu: store.cpu.figures,
      disk: tier('LocalDiskBackend'),
      remote: tier('RemoteBackend'),
      evictions: store.cpu.evictionCounts,
      poolBytes: store.cpu.pool.usedBytes,
      poolObjects: store.cpu.pool.objects,
      forcedUnpins: store.forcedUnpins,
      pinnedLookups: store.pinnedLookups,
      isHealthy: store.tiers.every(({figures}) => figures.degraded === null),
      tasks: summaryOf(store.tasks),
      statistics: {isCollecting: statistics.isCollecting, ...statistics.figures},
    }),
    observe: observer => worker.observe(observer),
    reset: () => worker.resetTotals(),
  }
}
