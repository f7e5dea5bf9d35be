import {formatDurationMs} from '../foundation/index.js'
import type {LiveLook} from './live-run.js'

/** How far a run is, in one line. */
export function progressLine({answered, total, inFlight, failures, ...look}: LiveLook): string {
  const failed = failures.reduce((sum, [, count]) => sum + count, 0)
  const {requestsPerSecond, tokensPerSecond, ttft, leftMs} = look
  return [
    `${answered}/${total} requests`,
    // Terminals of 80 columns cut the end off.
    ...(leftMs === null ? [] : [`${formatDurationMs(leftMs)} left`]),
    ...(failed > 0 ? [`${failed} failed`] : []),
    `${inFlight} in flight`,
    ...(requestsPerSecond === null || tokensPerSecond === null
      ? []
      : [`${requestsPerSecond.toFixed(1)} req/s`, `${Math.round(tokensPerSecond)} tok/s`]),
    ...(ttft === null ? [] : [`TTFT p50 ${formatDurationMs(ttft.p50)}`]),
  ].join(' · ')
}
