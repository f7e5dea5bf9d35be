import {existsSync} from 'node:fs'
import {join} from 'node:path'
import {readImported, RUN_FILES, type RunDirectory} from '../runs/index.js'
import {KvctlError} from '../foundation/index.js'
import {aiperfDocument, aiperfInputs, aiperfRecords} from './aiperf.js'
import {readExportedRun, type ExportedRun} from './exported-run.js'
import {guideLlmDocument} from './guidellm.js'
import {withImportedDigits} from './imported-digits.js'
import {vllmDocument, vllmFileName, type VllmOptions} from './vllm.js'

export const EXPORT_FORMATS = ['vllm', 'guidellm', 'aiperf'] as const
export type ExportFormat = (typeof EXPORT_FORMATS)[number]

/** A file under the name that the other tool gives it. */
export interface ExportedFile {
  readonly name: string
  /** Whole, or in parts. */
  readonly text: string | Iterable<string>
}

export interface RunExport {
  readonly document: Record<string, unknown>
  /** The document as its tool writes it. */
  readonly text: string
  /** That one first. */
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
    const text = oneLine(document)
    return {document, text, files: [{name: 'benchmarks.json', text}], warnings: []}
  }
  return aiperfExport(exported)
}

function aiperfExport(exported: ExportedRun): RunExport {
  const document = aiperfDocument(exported)
  const text = oneLine(document)
  const results = [
    {name: 'profile_export_aiperf.json', text},
    {name: 'profile_export.jsonl', text: aiperfRecords(exported)},
  ]
  const {payloads} = exported
  if (payloads instanceof KvctlError)
    return {document, text, files: results, warnings: [`there is no inputs.json: ${payloads.message}`]}
  const inputs = {name: 'inputs.json', text: aiperfInputs(exported, payloads)}
  const warnings = payloads.isWhole
    ? []
    : ["inputs.json lacks the server's answers, which later turns repeated: a run does not keep them"]
  return {document, text, files: [...results, inputs], warnings}
}

/** The document of an import that had no single requests: there is nothing to compute it from again. */
async function importedTotals(run: RunDirectory): Promise<Record<string, unknown> | null> {
  const hasRequests = existsSync(join(run.path, RUN_FILES.requests))
  return hasRequests ? null : readImported(run)
}

function vllmExport(document: Record<string, unknown>, warnings: readonly string[]): RunExport {
  const text = oneLine(document)
  return {document, text, files: [{name: vllmFileName(document), text}], warnings}
}

function oneLine(document: Record<string, unknown>): string {
  return `${JSON.stringify(document)}\n`
}
