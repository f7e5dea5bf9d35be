import {writeFileAtomic, type RunDirectory} from '../runs/index.js'
import {readReportData} from './read-report-data.js'
import {renderReport} from './render-report.js'

/**
 * Writes a run's report as one self-contained HTML file.
 *
 * @throws ResourceError `RUN_INCOMPLETE` without results or requests, `NOT_WRITABLE`, `DISK_FULL`
 * @throws ConfigurationError `RUN_UNREADABLE`
 */
export async function writeReport(run: RunDirectory, outputPath: string): Promise<void> {
  const data = await readReportData(run)
  await writeFileAtomic(outputPath, await renderReport(data))
}
