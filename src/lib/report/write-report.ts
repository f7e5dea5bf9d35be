import {compareRuns} from '../analysis/index.js'
import {readResults, strictJson, writeFileAtomic, type RunDirectory} from '../runs/index.js'
import {readSweep, summarisePoints, sweepCsv} from '../sweep/index.js'
import {findTemplate} from './find-template.js'
import {readReportData} from './read-report-data.js'
import {renderComparison} from './render-comparison.js'
import {renderFromTemplate} from './render-from-template.js'
import {renderReport} from './render-report.js'
import {renderSweep} from './render-sweep.js'
import {renderCsv, renderMarkdown} from './render-text.js'

export type ReportFormat = 'html' | 'md' | 'csv' | 'json'

export interface ReportStyle {
  readonly format: ReportFormat
  /** A file, `summary` or `detailed`; null is `detailed`. */
  readonly template: string | null
}

const FULL_PAGE: ReportStyle = {format: 'html', template: null}

/**
 * Writes a run's report as one self-contained file.
 *
 * @throws ResourceError `RUN_INCOMPLETE` without results or requests, `NOT_WRITABLE`, `DISK_FULL`
 * @throws ConfigurationError `RUN_UNREADABLE`, `TEMPLATE_NOT_FOUND`, `TEMPLATE_INVALID`
 */
export async function writeReport(
  run: RunDirectory,
  outputPath: string,
  style: ReportStyle = FULL_PAGE,
): Promise<void> {
  await writeFileAtomic(outputPath, await reportText(run, style))
}

/** A run's report as one text. @throws as `writeReport` */
export async function reportText(run: RunDirectory, {format, template}: ReportStyle): Promise<string> {
  const data = await readReportData(run)
  switch (format) {
    case 'md':
      return renderMarkdown(data, await readResults(run))
    case 'csv':
      return renderCsv(await readResults(run))
    case 'json':
      return `${strictJson(await readResults(run))}\n`
    case 'html': {
      const found = template === null ? null : await findTemplate(template)
      if (found === null || found.text === null) return renderReport(data)
      return renderFromTemplate(found.text, found.source, data, await readResults(run))
    }
  }
}

/** Writes the page, the table or the document of a sweep. @throws ResourceError `SWEEP_NOT_FOUND`; ConfigurationError `SWEEP_UNREADABLE` */
export async function writeSweepReport(
  folder: string,
  outputPath: string,
  format: Exclude<ReportFormat, 'md'>,
): Promise<void> {
  const sweep = await readSweep(folder)
  const summary = summarisePoints(sweep.points)
  const text = {
    html: () => renderSweep(sweep, summary),
    csv: async () => sweepCsv(sweep),
    json: async () => `${strictJson({...sweep, summary})}\n`,
  }[format]
  await writeFileAtomic(outputPath, await text())
}

/**
 * Writes what `kvctl compare` finds between the runs of two sides as one page.
 *
 * @throws as `compareRuns` and {@link writeReport}
 */
export async function writeComparisonReport(
  baseline: readonly RunDirectory[],
  candidate: readonly RunDirectory[],
  outputPath: string,
): Promise<void> {
  const comparison = await compareRuns(baseline, candidate, {
    figures: null,
    tolerance: 0.05,
    isForced: false,
  })
  const read = (runs: readonly RunDirectory[]) => Promise.all(runs.map(run => readReportData(run)))
  const page = await renderComparison(comparison, await read(baseline), await read(candidate))
  await writeFileAtomic(outputPath, page)
}
