import * as about from './answers/about-answers.js'
import * as cache from './answers/cache-answers.js'
import * as control from './answers/control-answers.js'
import type {CacheInput, CacheReply} from './answers/reply.js'
import * as tasks from './answers/task-answers.js'
import type {EmbeddedWorker} from './embedded-worker.js'
import type {CacheOperation} from './operations.js'

/** A cache worker as its API shows it: one in this process, or real ones elsewhere. */
export interface CacheWorker {
  answer(operation: CacheOperation, input: CacheInput): Promise<CacheReply>
}

type Answer = (worker: EmbeddedWorker, input: CacheInput) => CacheReply | Promise<CacheReply>

const ANSWERS: Readonly<Record<CacheOperation, Answer>> = {
  lmcVersion: about.lmcVersion,
  commitId: about.commitId,
  fullVersion: about.fullVersion,
  inferenceInfo: about.inferenceInfo,
  inferenceVersion: about.inferenceVersion,
  getConf: about.getConf,
  setConf: about.setConf,
  getMeta: about.getMeta,
  clear: cache.clear,
  store: cache.store,
  retrieve: cache.retrieve,
  check: cache.check,
  recordSlot: cache.recordSlot,
  slotRecords: cache.slotRecords,
  kvInfo: cache.info,
  loadFsChunks: cache.loadChunks,
  enableFreeze: worker => control.setFreeze(worker, true),
  disableFreeze: worker => control.setFreeze(worker, false),
  freezeStatus: control.freezeStatus,
  enableHotCache: control.enableHotCache,
  disableHotCache: control.disableHotCache,
  hotCacheStatus: control.hotCacheStatus,
  startStatistics: control.startStatistics,
  stopStatistics: control.stopStatistics,
  resetStatistics: control.resetStatistics,
  statisticsStatus: control.statisticsStatus,
  listBypassed: control.listBypassed,
  addBypass: (worker, input) => control.setBypass(worker, input, true),
  removeBypass: (worker, input) => control.setBypass(worker, input, false),
  listBackends: control.listBackends,
  createBackends: control.createBackends,
  closeBackend: control.closeBackend,
  backendFigures: control.backendFigures,
  logLevel: about.logLevel,
  lookupInfo: about.lookupInfo,
  periodicThreads: tasks.periodicThreads,
  periodicThread: tasks.periodicThread,
  periodicThreadsHealth: tasks.periodicThreadsHealth,
}

/** The API of a worker in this process. */
export function embeddedCacheWorker(worker: EmbeddedWorker): CacheWorker {
  return {answer: async (operation, input) => ANSWERS[operation](worker, input)}
}
