/**
 * How often `kvctl compare` calls two runs of one server different, and how often it finds a TTFT that is 10 % longer: pairs of
 * real runs of 1,000 requests against a server with known times, in turn A, A again, and B whose TTFT is 10 % longer.
 *
 *   npm run build:test && node build/bench/compare.js [pairs]
 *
 * Then the same on drawn samples whose neighbours resemble each other, where many more pairs are cheap.
 */
import {seededRandom} from '../src/lib/foundation/index.js'
import {compareSamples, comparisonVerdicts, ttftMs} from '../src/lib/metrics/index.js'
import {benchOptions, loadJob, runJob} from '../test/support/load-job.js'
import {startTruthServer} from '../test/support/truth.js'

const [REQUESTS, CONCURRENCY, TTFT_MS] = [1000, 32, 50]
const QUANTILES = [0.5, 0.95]

async function measure(ttft: number): Promise<Float64Array> {
  const server = await startTruthServer({ttftMs: ttft, gapMs: 2, tokens: 4})
  const {records} = await runJob(
    loadJob(server.port, benchOptions({requests: REQUESTS, concurrency: CONCURRENCY})),
  )
  await server.stop()
  return Float64Array.from(
    [...records]
      .sort((left, right) => left.sentAtMs! - right.sentAtMs!)
      .flatMap(record => ttftMs(record) ?? []),
  )
}

function verdictOf(one: Float64Array, other: Float64Array, seed: number, concurrency: number): boolean {
  const figures = QUANTILES.map(quantile => ({
    estimate: compareSamples([one], [other], {quantile, concurrency, seed}),
    tolerance: 0.05,
  }))
  return comparisonVerdicts(figures).includes('FAIL')
}

function drawn(seed: number, factor: number): Float64Array {
  const random = seededRandom(seed)
  let drift = 0
  return Float64Array.from({length: REQUESTS}, () => {
    drift = 0.8 * drift + random.normal(0, 0.1)
    return TTFT_MS * factor * Math.exp(drift + random.normal(0, 0.25))
  })
}

const pairs = Number(process.argv[2] ?? 20)
let [alarms, found] = [0, 0]
for (let pair = 0; pair < pairs; pair++) {
  const [a, again, slower] = [await measure(TTFT_MS), await measure(TTFT_MS), await measure(TTFT_MS * 1.1)]
  if (verdictOf(a, again, pair, CONCURRENCY)) alarms++
  if (verdictOf(a, slower, pair, CONCURRENCY)) found++
}
console.log(
  `real runs, ${REQUESTS} requests, ${CONCURRENCY} at a time: FAIL in ${alarms} of ${pairs} A/A pairs, in ${found} of ${pairs} with TTFT +10 %`,
)
const many = 500
let [drawnAlarms, drawnFound] = [0, 0]
for (let pair = 0; pair < many; pair++) {
  if (verdictOf(drawn(2 * pair, 1), drawn(2 * pair + 1, 1), pair, 10)) drawnAlarms++
  if (verdictOf(drawn(2 * pair, 1), drawn(2 * pair + 1, 1.1), pair, 10)) drawnFound++
}
console.log(
  `drawn samples, ${REQUESTS} requests, lag-1 correlation about 0.3: FAIL in ${drawnAlarms} of ${many} A/A pairs, in ${drawnFound} of ${many} with +10 %`,
)
