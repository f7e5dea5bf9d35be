import {existsSync} from 'node:fs'
import {join} from 'node:path'
import {readImported, RUN_FILES, type RunDirectory} from '../runs/index.js'
import {aiperfDocument, aiperfRecords} from './aiperf.js'
import {readExportedRun} from './exported-run.js'
import {guideLlmDocument} from './guidellm.js'
import {withImportedDigits} from './imported-digits.js'
import {vllmDocument, vllmFileName, type VllmOptions} from './vllm.js'

export const EXPORT_FORMATS = ['vllm', 'guidellm', 'aiperf'] as const
export type ExportFormat = (typeof EXPORT_FORMATS)[number]

/** A file under the name that the other tool gives it. */
export interface ExportedFile {
  readonly name: string
  readonly text: string
}

export interface RunExport {
  readonly document: Record<string, unknown>
  /** The document first. */
  readonly files: readonly ExportedFile[]
  readonly warnings: readonly string[]
}

/**
 * A run in the shape of another tool's result files, computed from its records.
 *
 * @throws ResourceError `RUN_INCOMPLETE`; ConfigurationError `RUN_UNREADABLE`
 */
export async function exportRun(
  run: RunDirectory,
  format: ExportFormat,
  options: VllmOptions,
): Promise<RunExport> {
  const totals = format === 'vllm' ? await importedTotals(run) : null
  if (totals !== null) return vllmExport(totals, [])
  const exported = await readExportedRun(run)
  if (format === 'vllm') {
    const {document, warnings} = await withImportedDigits(exported, options, vllmDocument(exported, options))
    return vllmExport(document, warnings)
  }
  if (format === 'guidellm') {
    const document = guideLlmDocument(exported)
    return {document, files: [{name: 'benchmarks.json', text: oneLine(document)}], warnings: []}
  }
  const document = aiperfDocument(exported)
  return {
    document,
    files: [
      {name: 'profile_export_aiperf.json', text: oneLine(document)},
      {name: 'profile_export.jsonl', text: aiperfRecords(exported)},
    ],
    warnings: [],
  }
}

/** The document of an import that had no single requests: there is nothing to compute it from again. */
async function importedTotals(run: RunDirectory): Promise<Record<string, unknown> | null> {
  const hasRequests = existsSync(join(run.path, RUN_FILES.requests))
  return hasRequests ? null : readImported(run)
}

function vllmExport(document: Record<string, unknown>, warnings: readonly string[]): RunExport {
  return {document, files: [{name: vllmFileName(document), text: oneLine(document)}], warnings}
}

function oneLine(document: Record<string, unknown>): string {
  return `${JSON.stringify(document)}\n`
}
