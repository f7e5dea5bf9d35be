export {endOfRamp, PATTERNS, type Pattern, type Stage} from './arrivals.js'
export {parseStages} from './parse-stages.js'
export {
  planBench,
  type ApiKind,
  type BenchOptions,
  type BenchPlan,
  type PromptSource,
  type RequestShape,
  type TimeLimits,
} from './bench-plan.js'
export {instrumentJson} from './instrument-json.js'
export type {LoadCounts} from './load-loop.js'
export {
  KnownServer,
  knownServerPath,
  type KnownServerOrder,
  type KnownServerProcess,
  type KnownServerReport,
} from './known-server.js'
export {
  runLoadJob,
  TRANSPORTS,
  type LoadJob,
  type LoadOrder,
  type LoadReport,
  type StartLine,
  type TransportKind,
} from './load-worker.js'
export {planJson, type PlanJson} from './plan-json.js'
export {gpuSamples} from './look-json.js'
export {createLiveRun, type LatelyMs, type LiveLook, type LiveRun} from './live-run.js'
export {progressLine} from './progress.js'
export type {ResumePoint} from './resume-point.js'
export {findResumePoint, planDifferences} from './resume.js'
export {schemaBody, toolsBody} from './body-parts.js'
export type {BenchAsk} from './bench-ask.js'
export {runBench, type BenchOutcome, type BenchParts} from './run-bench.js'
export type {BenchWatcher} from './bench-watcher.js'
export {PLAIN_LOAD, resolveBenchOptions, type LoadFlags, type LoadWishes} from './resolve-options.js'
export {loadWorkerPath, type LoadProcess} from './run-load.js'
export {runVerdict} from './run-verdict.js'
export {dealOut, idsIn, missingList, requestsIn, wholeList, type SendList} from './send-list.js'
export {workloadOf} from './workload-of.js'
export {sentPayloads, type SentPayloads} from './sent-payloads.js'
export {findServerParts} from './server-parts.js'
export {wishesOfProfile} from './wishes-of-profile.js'
