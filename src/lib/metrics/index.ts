export {type RequestTimes} from './request-times.js'
export {since, ttfbMs, ttfoMs, ttftMs, ttftSchedMs} from './ttft.js'
export {bodyLatencyMs, e2eMs, e2eSchedMs, normLatencyMs} from './e2e.js'
export {tpotMs} from './tpot.js'
export {queueClientMs, sendLagMs} from './queue-client.js'
export {tokensOfGap} from './chunk-tokens.js'
export {percentile} from './percentile.js'
export {percentileRanks, samplesNeeded, type IntervalRanks} from './percentile-interval.js'
export {binomialCdf} from './binomial.js'
export {effectiveCount, lag1Autocorrelation} from './autocorrelation.js'
export {
  moments,
  PERCENTILE_NAMES,
  PERCENTILES,
  summarize,
  type Interval,
  type PercentileName,
  type Summary,
} from './summary.js'
export {ExactHistogram} from './exact-histogram.js'
export {LogHistogram} from './log-histogram.js'
export {concurrency, littleCheck, sweepConcurrency, type Concurrency} from './concurrency.js'
export {equalBins, niceBins, type EqualBins, type LowerEdgeBins} from './histogram.js'
export {
  closedLoopWindow,
  openLoopWindow,
  wholeRunWindow,
  type MeasureWindow,
  type SentRequests,
} from './measure-window.js'
export {workersNeeded} from './workers-needed.js'
export {clientLimits, type InstrumentFigures} from './client-limited.js'
export {
  evaluateValidation,
  VALIDATION_RULES,
  type ValidatedFigures,
  type ValidationVerdict,
} from './validation.js'
export {compareSamples, type ComparisonOptions, type RatioEstimate} from './compare-samples.js'
export {comparisonVerdicts, holm, type Verdict} from './comparison-verdict.js'
export {isGood, meets, SLO_METRICS, type SloLimits, type SloMetric, type SloValues} from './slo.js'
export {trendOf, type Trend} from './stationarity.js'
export {studentP, studentQuantile} from './student-t.js'
export {rankCorrelation} from './rank-correlation.js'
export {
  bucketedPercentile,
  histogramBetween,
  type BucketedHistogram,
  type BucketedPercentile,
} from './bucketed-histogram.js'
export {jainIndex} from './jain.js'
export {batchMeansInterval, FEWEST_BATCHES} from './batch-means.js'
export {sortSamples} from './sort-samples.js'
