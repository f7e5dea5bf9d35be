export {whoListens, type ListeningPort} from './listening-ports.js'
export {guardGroups, startGroupGuard, type GroupGuard} from './group-guard.js'
export {originOfCgroup, type ProcessOrigin} from './process-origin.js'
export {createIdentityWatch, type IdentityWatch} from './identity-watch.js'
export {readProcessIdentity, seesHostPids, type ProcessIdentity} from './process-identity.js'
export {runInTerminal} from './terminal-command.js'
export {startProgram, type ProgramExit, type ProgramOptions, type RunningProgram} from './program.js'
export {readProcessUse, readStartTicks, type ProcessUse} from './process-use.js'
export {openRunDelay, type RunDelay} from './run-delay.js'
export {serveParent} from './serve-parent.js'
export {createTaskSign} from './task-sign.js'
export {startWorker, WorkerError, type Worker} from './worker.js'
export {followProgram, type FollowedProgram} from './follow-program.js'
export {runCaptured, type CapturedProgram} from './run-captured.js'
export {runProgram, type RunOptions, type RunResult} from './run-program.js'
export {whoHasOpen} from './open-files.js'
export {processFamilies, type ProcessFamily} from './process-families.js'
export {
  firstEphemeralPort,
  listeningSockets,
  parseTcpTable,
  socketInodesOf,
  type ListeningSocket,
} from './listening-sockets.js'
