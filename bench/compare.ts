/**
 * How often `kvctl compare` calls two runs of one server different, and how often it finds a TTFT that is 10 % longer: pairs of
 * real runs of 1,000 requests against a server with known times, in turn A, A again, and B whose TTFT is 10 % longer.
 *
 *   npm run build:test && node build/bench/compare.js [pairs]
 *
 * Then the same on drawn samples whose neighbours resemble each other, where many more pairs are cheap: one run a side, and four
 * runs a side that differ by themselves by 2 %. `compare.js 0` prints those alone. Aims: FAIL in at most 5 % of A/A pairs and in at least 90 % with +10 %.
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

type Runs = readonly Float64Array[]

function verdictOf(one: Runs, other: Runs, seed: number, concurrency: number): boolean {
  const figures = QUANTILES.map(quantile => ({
    estimate: compareSamples(one, other, {quantile, concurrency, seed}),
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

const [RUNS, RUN_SPREAD] = [4, 0.02]

/** Runs of one server, none of which is quite like the others. */
function drawnRuns(seed: number, factor: number): Runs {
  const random = seededRandom(seed ^ 0x5eed)
  return Array.from({length: RUNS}, (_, run) =>
    drawn(seed * RUNS + run, factor * Math.exp(random.normal(0, RUN_SPREAD))),
  )
}

function tell(what: string, alarms: number, found: number, count: number): void {
  const percent = (times: number): string => `${((100 * times) / count).toFixed(1)} %`
  console.log(
    `${what}: FAIL in ${alarms} of ${count} A/A pairs, ${percent(alarms)} (aim ≤ 5 %); in ${found} with TTFT +10 %, ${percent(found)} (aim ≥ 90 %)`,
  )
}

const pairs = Number(process.argv[2] ?? 20)
let [alarms, found] = [0, 0]
for (let pair = 0; pair < pairs; pair++) {
  const [a, again, slower] = [await measure(TTFT_MS), await measure(TTFT_MS), await measure(TTFT_MS * 1.1)]
  if (verdictOf([a], [again], pair, CONCURRENCY)) alarms++
  if (verdictOf([a], [slower], pair, CONCURRENCY)) found++
}
if (pairs > 0) tell(`real runs, ${REQUESTS} requests, ${CONCURRENCY} at a time`, alarms, found, pairs)

const many = 200
const one = (seed: number, factor: number): Runs => [drawn(seed, factor)]
for (const [what, draw] of [
  [`drawn samples, one run of ${REQUESTS}, lag-1 correlation about 0.3`, one],
  [`drawn samples, ${RUNS} runs of ${REQUESTS} that differ by ${100 * RUN_SPREAD} %`, drawnRuns],
] as const) {
  let [drawnAlarms, drawnFound] = [0, 0]
  for (let pair = 0; pair < many; pair++) {
    if (verdictOf(draw(2 * pair, 1), draw(2 * pair + 1, 1), pair, 10)) drawnAlarms++
    if (verdictOf(draw(2 * pair, 1), draw(2 * pair + 1, 1.1), pair, 10)) drawnFound++
  }
  tell(what, drawnAlarms, drawnFound, many)
}
