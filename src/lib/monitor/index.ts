export type {
  DeviceFigures,
  EngineFigures,
  HostLook,
  MonitorLook,
  ProcessFigures,
  SegmentFigures,
} from './host-look.js'
export {lookAtModels, type ModelFigures} from './model-figures.js'
export {lookAtTiers, type TierFigures} from './tier-figures.js'
export {SideWatch} from './side-watch.js'
export type {RemoteServer} from './ask-server.js'
export {actionsByHost, localActions, undoOf, type MonitorActions, type Sleeper} from './actions.js'
export {createRecorder, readRecording, replay, type Recorder} from './recording.js'
export {remoteActions, watchRemoteHost} from './remote-server.js'
export type {HostWatch} from './host-watch.js'
export {watchLocalHost, type LocalHostParts, type MachineWithSides} from './local-host.js'
export {lookAtHosts, watchHosts} from './watch-hosts.js'
export {monitorJson} from './json.js'
