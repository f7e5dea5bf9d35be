import {formatDurationMs, formatSize} from '../lib/foundation/index.js'
import type {RunDirectory, RunFile} from '../lib/runs/index.js'
import {createProgressLine, quietMsOn} from './progress-line.js'

/** Tells how far runs have been read, where that takes long enough to wonder. */
export interface ReadingLine {
  /**
   * @param files of its records that will be read
   * @returns the run, whose reading is told from now on
   */
  watch(run: RunDirectory, files?: readonly RunFile[]): Promise<RunDirectory>
  end(): void
}

const EVERY_MS = 100

export function createReadingLine(stream: NodeJS.WriteStream = process.stderr): ReadingLine {
  const line = createProgressLine(stream)
  const quietMs = quietMsOn(stream)
  const startMs = performance.now()
  let [totalBytes, readBytes, shownMs] = [0, 0, -Infinity]
  const onRead = (bytes: number): void => {
    readBytes += bytes
    const nowMs = performance.now()
    if (nowMs - startMs < quietMs || nowMs - shownMs < EVERY_MS) return
    shownMs = nowMs
    line.show(readingText(readBytes, totalBytes, nowMs - startMs))
  }
  return {
    async watch(run, files = ['requests', 'gaps']) {
      const {sizeOfFiles} = await import('../lib/runs/index.js')
      totalBytes += await sizeOfFiles(run, files)
      return {...run, onRead}
    },
    end: () => line.end(),
  }
}

/** Pure: `45 % of 1.20 GB of records read, 210.00 MB/s, 3.1 s left`. */
export function readingText(readBytes: number, totalBytes: number, tookMs: number): string {
  const total = Math.max(totalBytes, readBytes)
  const perSecond = tookMs === 0 ? 0 : readBytes / (tookMs / 1000)
  const share = total === 0 ? 100 : Math.floor((100 * readBytes) / total)
  const rate = `${share} % of ${formatSize(total)} of records read, ${formatSize(Math.round(perSecond))}/s`
  return perSecond === 0
    ? rate
    : `${rate}, ${formatDurationMs(((total - readBytes) / perSecond) * 1000)} left`
}
