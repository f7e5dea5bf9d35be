export {analyzeRun, computeRunFigures, type AnalyzeOptions, type RunFigures} from './analyze-run.js'
export {judgeRun, missedRules} from './judge-run.js'
export {EmptyRunError} from './empty-run-error.js'
