export {startProgram, type ProgramExit, type ProgramOptions, type RunningProgram} from './program.js'
export {readProcessUse, readStartTicks, type ProcessUse} from './process-use.js'
export {startWorker, WorkerError, type Worker} from './worker.js'
