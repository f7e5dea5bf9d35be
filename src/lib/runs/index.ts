export {
  FAILURES,
  leastTrusted,
  TOKENS_SOURCES,
  isFailure,
  type Failure,
  type Outcome,
  type Phase,
  type RequestRecord,
  type TokensSource,
} from './request-record.js'
export {
  claimRunDirectory,
  createRunDirectory,
  openRunDirectory,
  RUN_FILES,
  runName,
  sizeOfFiles,
  type RunDirectory,
  type RunFile,
} from './run-directory.js'
export {strictJson, writeFileAtomic, writeJsonAtomic} from './atomic-write.js'
export {writeFailure} from './write-failure.js'
export {
  metaSchema,
  originEpochMs,
  readMeta,
  readMetaIfAny,
  RUN_STATUSES,
  writeMeta,
  type CalibrationJson,
  type Instrument,
  type RunMeta,
  type RunPart,
} from './meta.js'
export {readImported, writeImported} from './imported.js'
export {
  pricingSchema,
  readPricing,
  writePricing,
  type PricedGpus,
  type PricedPod,
  type Pricing,
} from './pricing.js'
export {
  clusterRecordSchema,
  readClusterRecord,
  writeClusterRecord,
  type ClusterRecord,
  type NodeRecord,
  type PodRecord,
} from './cluster-record.js'
export {
  prometheusWindowSchema,
  readPrometheusWindow,
  writePrometheusWindow,
  type PrometheusWindow,
} from './prometheus-window.js'
export {csvField} from './csv-field.js'
export {REQUEST_COLUMNS, requestLine, type RequestColumn} from './requests-csv.js'
export {keepRecords, type KeptRecords} from './keep-records.js'
export {createRecordWriter, type RecordWriter} from './record-writer.js'
export {
  createTimeSeriesWriter,
  readTimeSeries,
  timeSampleSchema,
  type TimeSample,
  type TimeSeriesWriter,
} from './time-series.js'
export {
  analysisSchema,
  distributionSchema,
  measureSchema,
  readAnalysis,
  readResults,
  resultsSchema,
  type Distribution,
  type Measure,
  type RunAnalysis,
  type RunResults,
  type RunWarning,
} from './results.js'
export {readRequests} from './read-requests.js'
export {RequestCursor, UNKNOWN_COUNT, type RequestTable} from './request-table.js'
export type {WallSpan} from './run-clock.js'
export {readGaps, type GapsSummary} from './read-gaps.js'
export {gpusOfServer, meanOfGpus, sumOfGpus} from './gpus-of-server.js'
export {readWhoServed, ServedGpus, type GpuKind, type WhoServed} from './served-gpus.js'
