export {renderReport} from './render-report.js'
export {writeReport} from './write-report.js'
export type {
  FailureRow,
  Figure,
  GapsReader,
  Interval,
  MemorySample,
  MetricRow,
  ReportData,
  ReportRequest,
  RunFacts,
  ServerSample,
  Warning,
} from './report-data.js'
