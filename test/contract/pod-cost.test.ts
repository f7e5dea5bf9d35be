import {expect} from 'chai'
import {
  EXAMPLE_PRICES,
  heldNow,
  heldOver,
  hourlyCost,
  pricePods,
  runCost,
  startCost,
  type PriceList,
} from '../../src/lib/cost/index.js'
import {
  clusterRecordSchema,
  pricingSchema,
  type ClusterRecord,
  type PodRecord,
  type Pricing,
} from '../../src/lib/runs/index.js'

const T0 = Date.UTC(2026, 0, 31, 14, 30)
/** Seconds since the run began; it lasts 60. */
const at = (seconds: number): string => new Date(T0 + seconds * 1000).toISOString()
const RUN = [{fromMs: T0, toMs: T0 + 60_000}]
const DEFAULTS: PriceList = {...EXAMPLE_PRICES, gpuDefaultHourly: 1.5}

type Quantities = Record<string, string>
const container = (requests: Quantities, limits: Quantities = {}, name = 'kserve-container') => ({
  name,
  requests,
  limits,
})

const pod = (
  node: string,
  containers: PodRecord['containers'],
  [started, finished]: [number | null, number | null] = [-100, null],
  ready: [number, number | null][] = [[-50, null]],
): PodRecord => ({
  ...{name: `demo-predictor-on-${node}`, node, created_at: at((started ?? 0) - 10), containers},
  started_at: started === null ? null : at(started),
  finished_at: finished === null ? null : at(finished),
  ready: ready.map(([from, to]) => ({from: at(from), to: to === null ? null : at(to)})),
})

const PRODUCTS: Record<string, string | null> = {
  ...{a100: 'NVIDIA-A100-SXM4-80GB', a10: 'NVIDIA-A10', small: 'NVIDIA-A100-SXM4-40GB'},
  ...{sliced: 'NVIDIA-A100-SXM4-40GB-MIG-1g.5gb', plain: null, odd: 'NVIDIA-Unheard-Of'},
}
const cluster = (...pods: PodRecord[]): ClusterRecord =>
  clusterRecordSchema.parse({
    ...{schema_version: 1, namespace: 'ml', service: 'demo', is_watched: true, pods},
    nodes: Object.entries(PRODUCTS).map(([name, product]) => ({name, gpu_product: product})),
  })

const priced = (list: PriceList, ...pods: PodRecord[]): Pricing => {
  const pricing = pricePods(cluster(...pods), {list, gpuType: null, notes: [], region: null, isSpot: false})
  expect(pricingSchema.parse(JSON.parse(JSON.stringify(pricing)))).to.deep.equal(pricing)
  return pricing
}
const costOf = (list: PriceList, ...pods: PodRecord[]): number | null =>
  runCost(heldOver(priced(list, ...pods), RUN), {
    seconds: 60,
    successes: 1,
    promptTokens: 1,
    completionTokens: 1,
  }).total

const GPU = {cpu: '2', memory: '12Gi', 'nvidia.com/gpu': '1'}

describe('the cost of the pods of a run', () => {
  it('is that of kserve-vllm-mini’s formula: a GPU at its default price, two cores and 12 GiB for a minute', () => {
    // (1.50 + 2 · 0.04 + 12 · 0.005) / 60 · 1.1
    expect(costOf(DEFAULTS, pod('plain', [container(GPU)]))).to.be.closeTo(0.030066666666667, 1e-14)
  })

  it('prices each pod by its own node, for the part of the run in which it ran, without sidecars, and slices by their share', () => {
    const a100 = pod('a100', [
      container(GPU),
      container({cpu: '1', memory: '1Gi'}, {}, 'queue-proxy'),
      container({cpu: '100m', memory: '128Mi'}, {}, 'istio-proxy'),
    ])
    // Half of the minute: it started in the middle. A GPU is requested by its limit alone.
    const a10 = pod('a10', [container({cpu: '4000m', memory: '16Gi'}, {'nvidia.com/gpu': '1'})], [30, null])
    // A quarter of it: it was gone after 15 s. 2/7 of 3.50 an hour is 1.00.
    const mig = pod(
      'small',
      [container({cpu: '1', memory: '4Gi', 'nvidia.com/mig-2g.10gb': '1'})],
      [-100, 15],
    )
    const parts = [4.9 + 2 * 0.04 + 12 * 0.005, (1.1 + 4 * 0.04 + 16 * 0.005) / 2, (1 + 0.04 + 4 * 0.005) / 4]
    // 5.04 + 0.67 + 0.265 = 5.975 an hour; · 1.1 / 60
    expect(parts.reduce((sum, part) => sum + part)).to.be.closeTo(5.975, 1e-12)
    expect(costOf(EXAMPLE_PRICES, a100, a10, mig)).to.be.closeTo(0.109541666666667, 1e-14)
    const {gpus, cpu, memory} = heldOver(priced(EXAMPLE_PRICES, a100, a10, mig), RUN)
    expect(gpus.map(({product, count, price_rule: rule}) => [product, count, rule])).to.deep.equal([
      ['NVIDIA-A100-SXM4-80GB', 1, 'same model'],
      ['NVIDIA-A10', 0.5, 'exact'],
      ['NVIDIA-A100-SXM4-40GB-MIG-2g.10gb', 0.25, '2/7 of NVIDIA-A100-40GB'],
    ])
    expect([cpu?.cores, memory?.gib]).to.deep.equal([2 + 2 + 0.25, 12 + 8 + 1])
  })

  it('counts sidecars, and limits before requests, where the price file says so', () => {
    const both = [
      container({cpu: '1', memory: '8Gi'}, {cpu: '4', memory: '16Gi'}),
      container({cpu: '1'}, {}, 'queue-proxy'),
    ]
    const cost = (usesRequests: boolean, includesSidecars: boolean): number | null =>
      costOf({...DEFAULTS, counting: {usesRequests, includesSidecars}}, pod('plain', both))
    const hour = (cores: number, gib: number): number => ((cores * 0.04 + gib * 0.005) * 1.1) / 60
    expect(cost(true, false)).to.be.closeTo(hour(1, 8), 1e-14)
    expect(cost(true, true)).to.be.closeTo(hour(2, 8), 1e-14)
    expect(cost(false, false)).to.be.closeTo(hour(4, 16), 1e-14)
    expect(cost(false, true)).to.be.closeTo(hour(5, 16), 1e-14)
  })

  it('takes the slices of a node whose GPUs are all cut alike, which it labels and counts as GPUs', () => {
    const [only] = priced(EXAMPLE_PRICES, pod('sliced', [container(GPU)])).pods
    expect(only!.gpus).to.deep.equal([
      {
        ...{product: 'NVIDIA-A100-SXM4-40GB-MIG-1g.5gb', count: 1, hourly: 0.5},
        ...{price_entry: 'NVIDIA-A100-40GB', price_rule: '1/7 of NVIDIA-A100-40GB'},
      },
    ])
  })

  it('leaves open what a GPU costs that the list does not know, and says what asks for nothing', () => {
    const pricing = priced(EXAMPLE_PRICES, pod('odd', [container({'nvidia.com/gpu': '2', cpu: '1'})]))
    expect(hourlyCost(heldOver(pricing, RUN))).to.deep.include({total: null, gpu: null})
    expect(pricing.warnings.map(({code}) => code)).to.deep.equal(['resources_uncounted', 'gpu_price_unknown'])
    expect(pricing.warnings[0]!.message).to.equal(
      'demo-predictor-on-odd asks for no memory, which costs nothing here',
    )
  })

  it('counts nothing of a pod that never ran, or ran before, and now those that are ready', () => {
    const never = pod('a100', [container(GPU)], [null, null], [])
    const before = pod('a100', [container(GPU)], [-100, -10], [[-50, -10]])
    expect(costOf(EXAMPLE_PRICES, never, before)).to.equal(0)
    const pricing = priced(EXAMPLE_PRICES, never, before, pod('a10', [container(GPU)]))
    expect(hourlyCost(heldNow(pricing)).total).to.be.closeTo((1.1 + 0.08 + 0.06) * 1.1, 1e-12)
  })

  it('has a part that went into the starts of pods: from when they were made and ran until they were ready, within the run', () => {
    // Made at 10, runs from 20, ready at 50: 30 s. Another was ready before.
    const late = pod('a10', [container(GPU)], [20, null], [[50, null]])
    const pricing = priced(EXAMPLE_PRICES, late, pod('a100', [container(GPU)]))
    expect(startCost(pricing, RUN)).to.be.closeTo(((1.1 + 0.08 + 0.06) * 1.1 * 30) / 3600, 1e-14)
    expect(
      startCost(priced(EXAMPLE_PRICES, pod('a10', [container(GPU)], [50, null], [])), RUN),
    ).to.be.closeTo(((1.1 + 0.08 + 0.06) * 1.1 * 10) / 3600, 1e-14)
  })

  it('counts pods of a resumed run for the parts of it in which they ran, not for the time between', () => {
    const first = pod('a100', [container(GPU)], [-100, 500])
    const second = pod('a10', [container(GPU)], [700, null])
    const parts = [RUN[0]!, {fromMs: T0 + 1_000_000, toMs: T0 + 1_030_000}]
    const {gpus} = heldOver(priced(EXAMPLE_PRICES, first, second), parts)
    expect(gpus.map(({product, count}) => [product, Number(count.toFixed(9))])).to.deep.equal([
      ['NVIDIA-A100-SXM4-80GB', 0.666666667],
      ['NVIDIA-A10', 0.333333333],
    ])
  })

  it('leaves open what GPUs cost on a node that may not be read, with the reason, until they are named', () => {
    const reason = 'Permission denied: service account ml:bench may not get nodes'
    const record = clusterRecordSchema.parse({
      ...cluster(pod('hidden', [container({...GPU, 'nvidia.com/mig-1g.5gb': '2'})])),
      nodes: [{name: 'hidden', gpu_product: null, unavailable: reason}],
    })
    // A default price would be one of another GPU.
    const prices = {list: DEFAULTS, gpuType: null, notes: [], region: null, isSpot: false}
    const hidden = pricePods(record, prices)
    expect(hidden.pods[0]!.gpus.map(({product, count, hourly}) => [product, count, hourly])).to.deep.equal([
      ['unknown', 3, null],
    ])
    expect(hidden.warnings).to.deep.equal([
      {
        code: 'gpu_price_unknown',
        message: `which GPUs demo-predictor-on-hidden holds is not known, nor what they cost: ${reason}; name them with --gpu-type`,
      },
    ])
    expect(hourlyCost(heldOver(hidden, RUN))).to.deep.include({total: null, gpu: null})
    const named = pricePods(record, {...prices, gpuType: 'A100-40GB'})
    expect(named.pods[0]!.gpus.map(({product, count, hourly}) => [product, count, hourly])).to.deep.equal([
      ['A100-40GB', 1, 3.5],
      ['A100-40GB-MIG-1g.5gb', 2, 0.5],
    ])
    expect(() => pricePods(record, {...prices, list: EXAMPLE_PRICES, gpuType: 'X1'})).to.throw(/X1/)
  })
})
