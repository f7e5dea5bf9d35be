export {analyzeRun, computeRunFigures, type RunFigures} from './analyze-run.js'
