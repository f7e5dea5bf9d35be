export {renderReport} from './render-report.js'
export {
  reportText,
  writeComparisonReport,
  writeReport,
  writeSweepReport,
  type ReportFormat,
  type ReportStyle,
} from './write-report.js'
export {renderTemplate} from './template.js'
export type {
  FailureRow,
  Figure,
  GroupRow,
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
