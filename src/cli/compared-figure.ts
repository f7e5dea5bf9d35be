import {COMPARED_METRICS, type ComparedFigure, type ComparedMetric} from '../lib/analysis/index.js'
import {ConfigurationError} from '../lib/foundation/index.js'

/** `ttft:p95`; without a percentile, the median. @throws ConfigurationError `USAGE` */
export function comparedFigureOf(text: string): ComparedFigure {
  const [, name = '', percentile = '50'] = /^([a-z0-9_]+)(?::p(\d{1,2}(?:\.\d+)?))?$/.exec(text) ?? []
  const isKnown = (COMPARED_METRICS as readonly string[]).includes(name) && Number(percentile) > 0
  if (!isKnown) {
    throw new ConfigurationError(
      'USAGE',
      `--metric takes one of ${COMPARED_METRICS.join(', ')} with a percentile, not '${text}'`,
      {
        suggestions: ['--metric ttft:p95'],
      },
    )
  }
  return {metric: name as ComparedMetric, percentile: Number(percentile)}
}
