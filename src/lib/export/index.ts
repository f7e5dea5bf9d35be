export {
  EXPORT_FORMATS,
  exportRun,
  type ExportedFile,
  type ExportFormat,
  type RunExport,
} from './export-run.js'
export {importVllm, type ImportedRun} from './import-vllm.js'
export {readVllmFile, type VllmResult} from './vllm-file.js'
