export {PATTERNS, type Pattern} from './arrivals.js'
export {planBench, type ApiKind, type BenchOptions, type BenchPlan, type PromptSource} from './bench-plan.js'
export {runLoadJob, type LoadJob, type LoadOrder, type LoadReport} from './load-worker.js'
