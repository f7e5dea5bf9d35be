// Tokens per second of the embedded engine on a virtual clock, 64 streams, real KV rows; how true a paced step is; and both
// again through `kvctl engine`, as its clients see them over the loopback. The client is this process, the engine another.
// npm run build && npm run build:test && node build/bench/engine.js
import {
  createEngine,
  defaultEngineOptions,
  findGpu,
  findModel,
  type Engine,
  type EngineOptions,
} from '../src/lib/engine/index.js'
import {silentLogger, systemClock, VirtualClock} from '../src/lib/foundation/index.js'
import {createBuiltinTokenizer} from '../src/lib/tokens/index.js'
import {endEngine, startEngine} from '../test/support/engine-process.js'
import {benchOptions, loadJob, runJob} from '../test/support/load-job.js'

const STREAMS = 64
const STEP_MS = 10
const {vocabulary} = createBuiltinTokenizer()
const base = defaultEngineOptions(vocabulary, new VirtualClock(), silentLogger)

async function generate(engine: Engine, round: number, maxTokens: number): Promise<void> {
  const one = (stream: number): Promise<void> =>
    new Promise(resolve => {
      engine.submit(
        {
          id: `${round}-${stream}`,
          promptTokens: Array.from(
            {length: 128},
            (_, index) => 300 + ((index * 31 + stream * 7 + round * 13) % 4000),
          ),
          maxTokens,
          minTokens: 0,
          ignoreEos: true,
          stopTokenIds: [],
          seed: null,
          startGuide: null,
          priority: 0,
          cacheSalt: null,
        },
        {tokens: () => undefined, end: () => resolve()},
      )
    })
  await Promise.all(Array.from({length: STREAMS}, (_, stream) => one(stream)))
}

const median = (values: number[]): number => values.sort((a, b) => a - b)[Math.floor(values.length / 2)]!

async function tokensPerSecond(title: string, options: EngineOptions): Promise<void> {
  const engine = await createEngine(options)
  const rates: number[] = []
  for (let round = 0; round < 7; round++) {
    const started = performance.now()
    await generate(engine, round, 512)
    rates.push((STREAMS * 512 * 1000) / (performance.now() - started))
  }
  await engine.close()
  console.log(
    `${title}: ${Math.round(median(rates.slice(2))).toLocaleString('en')} tokens/s (median of 5 rounds)`,
  )
}

async function pacing(): Promise<void> {
  const timing = {
    mode: 'roofline' as const,
    model: findModel('Llama-3.1-8B'),
    gpu: findGpu('H100'),
    tensorParallel: 1,
    weightBytes: 2,
    kvBytes: 2,
  }
  const engine = await createEngine({...base, clock: systemClock, timing})
  let [gaps, total] = [0, 0]
  engine.observe({
    firstToken: () => undefined,
    interToken: seconds => {
      gaps++
      total += seconds * 1000
    },
    step: () => undefined,
    finished: () => undefined,
  })
  await generate(engine, 0, 200)
  const {count, modelledMs, achievedMs} = engine.state().steps
  await engine.close()
  console.log(
    `paced, ${STREAMS} streams: ${(modelledMs / count).toFixed(3)} ms a step by the model, ` +
      `${(achievedMs / count).toFixed(3)} by the clock (${((achievedMs / modelledMs - 1) * 100).toFixed(2)} %); ` +
      `mean ITL ${(total / gaps).toFixed(3)} ms`,
  )
}

interface Streamed {
  readonly tokensPerSecond: number
  readonly meanItlMs: number
}

/** All streams at once against a started engine; from the first byte sent to the last token. */
async function stream(url: string, maxTokens: number): Promise<Streamed> {
  const options = benchOptions({requests: STREAMS, concurrency: STREAMS})
  const request = {...options.request, maxTokens, ignoresEos: true}
  const job = loadJob(Number(new URL(url).port), {...options, promptSeed: Date.now() % 2 ** 31, request})
  const {model} = job.recipe
  const served = (await (await fetch(`${url}/v1/models`)).json()) as {data: {id: string}[]}
  const {records} = await runJob({...job, recipe: {...job.recipe, model: served.data[0]?.id ?? model}})
  const sum = (value: (record: (typeof records)[0]) => number): number =>
    records.reduce((total, record) => total + value(record), 0)
  const startMs = Math.min(...records.map(record => record.sentAtMs!))
  const endMs = Math.max(...records.map(record => record.lastTokenAtMs!))
  return {
    tokensPerSecond: (sum(record => record.completionTokens!) * 1000) / (endMs - startMs),
    meanItlMs:
      sum(record => record.lastTokenAtMs! - record.firstTokenAtMs!) /
      sum(record => record.completionTokens! - 1),
  }
}

async function throughLoopback(): Promise<void> {
  const fast = await startEngine('--ttft-ms', '0', '--itl-ms', '0')
  const rates: number[] = []
  for (let round = 0; round < 7; round++) rates.push((await stream(fast.url, 512)).tokensPerSecond)
  await endEngine(fast.child, 'SIGTERM')
  console.log(
    `SSE over loopback, ${STREAMS} streams, steps without a pause: ${Math.round(median(rates.slice(2))).toLocaleString('en')} tokens/s ` +
      `(median of 5 rounds)`,
  )
  const paced = await startEngine('--ttft-ms', String(STEP_MS), '--itl-ms', String(STEP_MS))
  const itl: number[] = []
  for (let round = 0; round < 3; round++) itl.push((await stream(paced.url, 200)).meanItlMs)
  await endEngine(paced.child, 'SIGTERM')
  const seenMs = median(itl)
  console.log(
    `SSE over loopback, ${STREAMS} streams, steps of ${STEP_MS} ms: mean ITL ${seenMs.toFixed(3)} ms ` +
      `(${((seenMs / STEP_MS - 1) * 100).toFixed(2)} %; median of 3 rounds)`,
  )
}

await tokensPerSecond('virtual clock, rows of 2 KiB in K and V', base)
await tokensPerSecond('the same without prefix cache', {...base, enablePrefixCaching: false})
await tokensPerSecond('the same with rows of 64 bytes', {...base, kv: {rowBytes: 64, pageBytes: 2 ** 16}})
await pacing()
await throughLoopback()
