import {readFileSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {expect} from 'chai'
import {analyzeRun} from '../../../src/lib/analysis/index.js'
import {
  createRecordWriter,
  pricingSchema,
  resultsSchema,
  writeMeta,
  writePricing,
  type Pricing,
  type RunDirectory,
} from '../../../src/lib/runs/index.js'
import {requestRecord} from '../../support/records.js'
import {rejection} from '../../support/rejection.js'
import {temporaryFolder} from '../../support/temporary.js'

/** One GPU at 1.50, two cores at 0.04 and 12 GiB at 0.005 an hour, and a tenth more: 1.804 an hour. */
const PRICING: Pricing = {
  schema_version: 1,
  currency: 'USD',
  prices_from: 'cost.yaml',
  price_multiplier: 1,
  gpus: [{product: 'NVIDIA-A10', count: 1, hourly: 1.5, price_entry: 'NVIDIA-A10', price_rule: 'exact'}],
  cpu: {cores: 2, hourly_per_core: 0.04},
  memory: {gib: 12, hourly_per_gib: 0.005},
  pods: [],
  overhead_fraction: 0.1,
  warnings: [{code: 'price_assumed', message: 'cost.yaml does not give overhead'}],
}

describe('the cost in results.json', () => {
  const folder = temporaryFolder()

  /** A minute from the first send to the last end of body: two answers of 100 and 150 tokens, and a failure. */
  async function minute(promptTokens: number | null = 250): Promise<RunDirectory> {
    const run = {path: folder(), runId: 'run'}
    await writeMeta(run, {run_id: 'run', origin_epoch_ms: 0})
    const writer = await createRecordWriter(run, 0)
    const gapsUs = new Uint32Array()
    const plain = {scheduledAtMs: null, roleAtMs: null, chunkCount: 1, gapsUs, promptTokens}
    await writer.append([
      requestRecord({...plain, id: 1, scheduledAtMs: 0, sentAtMs: 0, completionTokens: 100}),
      requestRecord({
        ...plain,
        ...{id: 2, scheduledAtMs: 0, sentAtMs: 0, completionTokens: 150},
        ...{firstTokenAtMs: 59_000, lastTokenAtMs: 59_000, doneAtMs: 60_000},
      }),
      requestRecord({...plain, id: 3, scheduledAtMs: 1, sentAtMs: 1, outcome: 'http_5xx', status: 500}),
    ])
    await writer.close()
    return run
  }

  it('is that of the hour, for as long as the run lasted, shared by what succeeded', async () => {
    const run = await minute()
    await writePricing(run, PRICING)
    const {results} = await analyzeRun(run)
    const total = (1.804 * 60) / 3600
    expect(results.cost).to.deep.equal({
      cost_per_1k_tokens: '$0.0401', // 0.0300667 / (250 + 250 + 100 + 150) · 1000
      hourly_cost: '$1.80',
      breakdown: {gpu: '$1.65', cpu: '$0.09', memory: '$0.06'}, // 1.65, 0.088 and 0.066: cents that add up to 1.80
    })
    expect(results.total_cost).to.be.closeTo(total, 1e-12)
    expect(results.cost_per_request).to.be.closeTo(total / 2, 1e-12)
    expect(results.cost_per_1k_tokens).to.be.closeTo(total / 0.75, 1e-12)
    expect(results.cost_per_1k_output_tokens).to.be.closeTo(total / 0.25, 1e-12)
    expect(results.cost_currency).to.equal('USD')
    expect(results.cost_breakdown).to.deep.equal({
      total_cost: results.total_cost,
      gpu_seconds: 1 * 60,
      cpu_core_seconds: 2 * 60,
      mem_gib_seconds: 12 * 60,
      gpu_hourly: 1.5,
      cpu_hourly_per_core: 0.04,
      mem_hourly_per_gib: 0.005,
      overhead_fraction: 0.1,
      gpu_product_label: 'NVIDIA-A10',
    })
    expect(results.unavailable).to.not.have.property('cost')
    expect(results.warnings).to.deep.include(PRICING.warnings[0])
    expect(resultsSchema.parse(JSON.parse(JSON.stringify(results)))).to.deep.equal(results)
  })

  it('is found again by every later analysis', async () => {
    const run = await minute()
    await writePricing(run, PRICING)
    await analyzeRun(run)
    const before = readFileSync(join(run.path, 'results.json'), 'utf8')
    await analyzeRun(run)
    expect(readFileSync(join(run.path, 'results.json'), 'utf8')).to.equal(before)
  })

  it('per token is unknown where prompts were not counted', async () => {
    const run = await minute(null)
    await writePricing(run, {...PRICING, currency: 'EUR', memory: null})
    const {results} = await analyzeRun(run)
    expect(results).to.include({cost_per_1k_tokens: null, cost_currency: 'EUR'})
    expect(results.cost).to.deep.equal({
      cost_per_1k_tokens: null,
      hourly_cost: '1.74 EUR', // 1.65 + 0.088
      breakdown: {gpu: '1.65 EUR', cpu: '0.09 EUR', memory: null},
    })
    expect(results.cost_breakdown).to.include({mem_gib_seconds: null, mem_hourly_per_gib: null})
  })

  it('of GPUs of two products is that of both, and their mean price says it again', async () => {
    const run = await minute()
    const [a10] = PRICING.gpus
    const gpus = [
      {...a10!, count: 2, hourly: 1},
      {...a10!, product: 'L4', hourly: 0.4},
    ]
    await writePricing(run, {...PRICING, gpus, cpu: null, memory: null, overhead_fraction: 0})
    const {results} = await analyzeRun(run)
    expect(results.total_cost).to.be.closeTo(((2 * 1 + 1 * 0.4) * 60) / 3600, 1e-12)
    expect(results.cost_breakdown).to.deep.include({
      gpu_seconds: 3 * 60,
      gpu_hourly: 0.8, // (2 · 1 + 0.4) / 3
      gpu_product_label: 'NVIDIA-A10, L4',
    })
  })

  it('is null with its reason where a GPU has no price, and what is known stands', async () => {
    const run = await minute()
    const message = "cost.yaml has no price for 'B300': what it costs is unknown"
    const unknown = {product: 'B300', count: 1, hourly: null, price_entry: null, price_rule: 'unknown'}
    const warnings = [{code: 'gpu_price_unknown', message}]
    await writePricing(run, {...PRICING, gpus: [...PRICING.gpus, unknown], warnings})
    const {results} = await analyzeRun(run)
    expect(results).to.include({total_cost: null, cost_per_request: null, cost_per_1k_tokens: null})
    expect(results.cost).to.deep.equal({
      cost_per_1k_tokens: null,
      hourly_cost: null,
      breakdown: {gpu: null, cpu: '$0.09', memory: '$0.06'}, // 0.088 and 0.066: cents that add up to 0.15
    })
    expect(results.cost_breakdown).to.include({gpu_seconds: 2 * 60, gpu_hourly: null})
    expect(results.unavailable).to.include({cost: message})
    expect(resultsSchema.parse(JSON.parse(JSON.stringify(results)))).to.deep.equal(results)
  })

  it('is null with its reason where nobody priced the run', async () => {
    const {results} = await analyzeRun(await minute())
    expect(results).to.include({total_cost: null, cost_per_request: null, cost_breakdown: null})
    expect(results.unavailable).to.include({cost: 'no prices were given'})
  })

  it('is not guessed from a torn pricing.json', async () => {
    const run = await minute()
    writeFileSync(join(run.path, 'pricing.json'), '{"schema_version": 1')
    expect(await rejection(analyzeRun(run))).to.include({code: 'RUN_UNREADABLE', exitCode: 2})
  })

  it('needs prices that are numbers of at least 0', () => {
    expect(pricingSchema.safeParse({...PRICING, overhead_fraction: -1}).success).to.equal(false)
    expect(pricingSchema.safeParse(PRICING).success).to.equal(true)
  })
})
