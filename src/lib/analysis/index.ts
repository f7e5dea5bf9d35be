export {analyzeRun, computeRunFigures, type AnalyzeOptions, type RunFigures} from './analyze-run.js'
export {EmptyRunError} from './empty-run-error.js'
export {
  COMPARED_METRICS,
  compareRuns,
  type ComparedFigure,
  type ComparedMetric,
  type CompareOptions,
  type ComparisonJson,
} from './compare-runs.js'
export {runSpan} from './run-span.js'
