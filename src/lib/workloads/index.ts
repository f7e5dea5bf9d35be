export {parseLengthPairs, parseLengths, type DrawLength} from './lengths.js'
export {makeWorkload} from './made.js'
export {readWorkload} from './read-file.js'
export {FILE_FORMATS, workloadSpecSchema, type FileSpec, type MadeSpec, type WorkloadSpec} from './spec.js'
export {
  answersOf,
  sessionLengths,
  type Content,
  type MadeMessage,
  type TextBlock,
  type WorkItem,
  type Workload,
} from './workload.js'
