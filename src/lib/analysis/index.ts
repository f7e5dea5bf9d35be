export {analyzeRun, computeRunFigures, type AnalyzeOptions, type RunFigures} from './analyze-run.js'
export {EmptyRunError} from './empty-run-error.js'
