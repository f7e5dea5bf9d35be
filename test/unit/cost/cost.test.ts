import {expect} from 'chai'
import {
  EXAMPLE_PRICES,
  hourlyCost,
  hourlyJson,
  moneyParts,
  moneyText,
  parseResources,
  priceResources,
  runCost,
  standingCost,
  type Holdings,
  type PriceList,
  type SeenGpus,
} from '../../../src/lib/cost/index.js'

const WITH_DEFAULT: PriceList = {...EXAMPLE_PRICES, source: 'cost.yaml', gpuDefaultHourly: 1.5}

function held(gpuType: string | null, resources: string, more: Partial<Holdings> = {}): Holdings {
  return {gpuType, resources: parseResources(resources), region: null, isSpot: false, seen: null, ...more}
}

const GOLDEN = priceResources(held(null, 'gpu=1,cpu=2,memory=12Gi'), WITH_DEFAULT)
const OUTPUT = {seconds: 60, successes: 20, promptTokens: 600, completionTokens: 400}

describe('resources', () => {
  it('are read as Kubernetes spells them', () => {
    expect(parseResources('cpu=2000m, memory=12Gi, nvidia.com/gpu=2')).to.deep.equal({
      gpus: 2,
      migProfile: null,
      cpuCores: 2,
      memoryBytes: 12 * 1024 ** 3,
    })
    expect(parseResources('nvidia.com/mig-1g.10gb.me=3')).to.include({gpus: 3, migProfile: '1g.10gb'})
    expect(parseResources('cpu=0')).to.include({cpuCores: 0, memoryBytes: null, gpus: null})
  })

  for (const [text, message] of [
    ['cpu', "'cpu' is not NAME=QUANTITY"],
    ['cpu=1,', "'' is not NAME=QUANTITY"],
    ['cpu=a', "'a' is not a quantity"],
    ['disk=1Gi', "'disk' is not a resource that has a price"],
    ['gpu=0.5', 'gpu=0.5 is not a whole number'],
    ['gpu=1,nvidia.com/gpu=1', 'names a GPU twice'],
    ['gpu=1,mig-1g.5gb=1', 'names a GPU twice'],
    ['memory=12', 'memory=12 is 12 bytes'],
  ] as const) {
    it(`refuse ${text}`, () => {
      expect(() => parseResources(text))
        .to.throw(message)
        .with.property('exitCode', 2)
    })
  }
})

describe('the cost of an hour', () => {
  it('is that of its parts, each with its share of the overhead', () => {
    const hour = hourlyCost(GOLDEN)
    expect(hour.gpu).to.be.closeTo(1 * 1.5 * 1.1, 1e-12)
    expect(hour.cpu).to.be.closeTo(2 * 0.04 * 1.1, 1e-12)
    expect(hour.memory).to.be.closeTo(12 * 0.005 * 1.1, 1e-12)
    expect(hour.total).to.be.closeTo((1.5 + 0.08 + 0.06) * 1.1, 1e-12)
    expect(standingCost(GOLDEN, 24)).to.be.closeTo(1.64 * 1.1 * 24, 1e-9)
  })

  it('leaves out what nobody counted', () => {
    const pricing = priceResources(held('A10', ''), EXAMPLE_PRICES)
    expect(hourlyCost(pricing)).to.deep.equal({gpu: 1.1 * 1.1, cpu: null, memory: null, total: 1.1 * 1.1})
    expect(hourlyJson(pricing)).to.deep.equal({
      hourly_cost: '$1.21',
      breakdown: {gpu: '$1.21', cpu: null, memory: null},
    })
    expect(pricing.warnings.map(({message}) => message)).to.deep.equal([
      'CPU and memory of the deployment are not said and cost nothing here',
    ])
  })

  it('counts slices, and factors of region and spot', () => {
    const list = {...WITH_DEFAULT, regionMultipliers: {eu: 1.2}, spotMultiplier: 0.5}
    const slices = held('A100-40GB', 'mig-1g.5gb=2,cpu=1', {region: 'eu', isSpot: true})
    const pricing = priceResources(slices, list)
    expect(pricing.gpus[0]).to.deep.include({product: 'A100-40GB-MIG-1g.5gb', count: 2})
    expect(pricing.gpus[0]?.hourly).to.be.closeTo((3.5 / 7) * 1.2 * 0.5, 1e-12)
    expect(pricing.cpu?.hourly_per_core).to.be.closeTo(0.04 * 1.2 * 0.5, 1e-12)
    expect(pricing.price_multiplier).to.be.closeTo(0.6, 1e-12)
  })

  for (const [what, holdings, list, code] of [
    ['nothing held', held(null, ''), WITH_DEFAULT, 'RESOURCES_MISSING'],
    ['GPUs of no type in a list without default', held(null, 'gpu=1'), EXAMPLE_PRICES, 'GPU_TYPE_MISSING'],
    ['an unknown GPU', held('H200', ''), EXAMPLE_PRICES, 'GPU_PRICE_UNKNOWN'],
    ['an unknown region', held('A10', '', {region: 'mars'}), WITH_DEFAULT, 'REGION_UNKNOWN'],
    ['spot without a factor', held('A10', '', {isSpot: true}), WITH_DEFAULT, 'PRICE_MISSING'],
    ['CPU without a price', held('A10', 'cpu=1'), {...WITH_DEFAULT, cpuHourlyPerCore: null}, 'PRICE_MISSING'],
    ['slices of a slice', held('A100-40GB-MIG-1g.5gb', 'mig-2g.10gb=1'), WITH_DEFAULT, 'RESOURCES_INVALID'],
  ] as const) {
    it(`is refused for ${what}`, () => {
      expect(() => priceResources(holdings, list))
        .to.throw()
        .with.property('code', code)
    })
  }

  it('warns of a default GPU price and of every figure that the file does not give', () => {
    const list: PriceList = {...WITH_DEFAULT, assumed: ['cpu', 'memory', 'overhead']}
    const {warnings} = priceResources(held('MI300X', 'cpu=1'), list, [
      {code: 'price_list', message: 'cost.yaml:9: odd'},
    ])
    expect(warnings.map(({code}) => code)).to.deep.equal([
      'price_list',
      'gpu_price_default',
      'price_assumed',
      'resources_uncounted',
    ])
    expect(warnings[2]!.message).to.equal(
      "cost.yaml does not give cpu, overhead: kserve-vllm-mini's example is taken",
    )
  })
})

describe('GPUs that were seen', () => {
  const seen = (isSure: boolean, ...kinds: [product: string | null, count: number][]): SeenGpus => ({
    kinds: kinds.map(([product, count]) => ({product, count})),
    isSure,
    notes: [{code: 'seen', message: 'seen'}],
  })
  const priced = (gpuType: string | null, resources: string, who: SeenGpus, list = EXAMPLE_PRICES) => {
    const {gpus, warnings} = priceResources(held(gpuType, resources, {seen: who}), list)
    return {
      gpus: gpus.map(({product, count, hourly}) => [product, count, hourly]),
      codes: warnings.map(({code}) => code),
    }
  }

  it('count each at the price of its product: no A10 at that of an A100', () => {
    const who = seen(true, ['NVIDIA A10', 2], ['NVIDIA A100-SXM4-80GB', 1])
    expect(priced(null, '', who)).to.deep.equal({
      gpus: [
        ['NVIDIA A10', 2, 1.1],
        ['NVIDIA A100-SXM4-80GB', 1, 4.9],
      ],
      codes: ['seen', 'resources_uncounted'],
    })
  })

  it('in MIG mode cost the share of their profile', () => {
    const who = seen(true, ['NVIDIA A100-SXM4-40GB MIG 1g.5gb', 2], ['NVIDIA A100-SXM4-40GB MIG 3g.20gb', 1])
    expect(priced(null, '', who).gpus.map(([, count, hourly]) => [count, hourly])).to.deep.equal([
      [2, 3.5 / 7],
      [1, (3.5 * 3) / 7],
    ])
  })

  it('name the product where only a count is said', () => {
    expect(priced(null, 'gpu=3,cpu=1', seen(false, ['NVIDIA A10', 1])).gpus).to.deep.equal([
      ['NVIDIA A10', 3, 1.1],
    ])
    expect(priced(null, 'mig-2g.10gb=2', seen(true, ['NVIDIA A100-PCIE-40GB', 1])).gpus).to.deep.equal([
      ['NVIDIA A100-PCIE-40GB-MIG-2g.10gb', 2, 1],
    ])
  })

  it('without a price are kept without, and say so', () => {
    const {gpus, codes} = priced(null, 'cpu=1', seen(true, ['NVIDIA B300', 2], [null, 1]))
    expect(gpus).to.deep.equal([
      ['NVIDIA B300', 2, null],
      ['unknown', 1, null],
    ])
    expect(codes).to.deep.equal(['seen', 'gpu_price_unknown', 'gpu_price_unknown', 'resources_uncounted'])
    const of40or80 = priced(null, '', seen(true, ['NVIDIA A100', 1]))
    expect(of40or80.gpus).to.deep.equal([['NVIDIA A100', 1, null]])
    expect(priced(null, 'gpu=3', seen(true, ['NVIDIA A10', 1], ['NVIDIA A30', 1])).gpus).to.deep.equal([
      ['unknown', 3, null],
    ])
  })

  it('give way to what is said, which may be none', () => {
    const who = seen(true, ['NVIDIA A10', 2])
    expect(priced('H100', '', who)).to.deep.equal({
      gpus: [['H100', 1, 6.5]],
      codes: ['gpu_count_differs', 'resources_uncounted'],
    })
    expect(priced('H100', 'gpu=2', who).codes).to.not.include('gpu_count_differs')
    expect(priced(null, 'gpu=0,cpu=1', who).gpus).to.deep.equal([])
    // All GPUs of a machine are not those of a deployment that was said to hold two cores.
    expect(priced(null, 'cpu=2', seen(false, ['NVIDIA A10', 8])).gpus).to.deep.equal([])
  })
})

describe('the cost of a run', () => {
  it('of a minute with 1 GPU, 2 cores and 12 GiB is $0.03006667, shared by requests and tokens', () => {
    // GPU 1.50/60 + CPU 2 · 0.04/60 + memory 12 · 0.005/60, and a tenth more
    const total = (0.025 + 0.00133333333333 + 0.001) * 1.1
    const cost = runCost(GOLDEN, OUTPUT)
    expect(cost.total).to.be.closeTo(total, 1e-12).and.closeTo(0.03006667, 1e-8)
    expect(cost.perRequest).to.be.closeTo(total / 20, 1e-12)
    expect(cost.per1kTokens).to.be.closeTo((total / (600 + 400)) * 1000, 1e-12)
    expect(cost.per1kOutputTokens).to.be.closeTo((total / 400) * 1000, 1e-12)
  })

  it('is unknown for what nobody counted, and where nothing succeeded', () => {
    expect(runCost(GOLDEN, {...OUTPUT, promptTokens: null})).to.include({per1kTokens: null})
    expect(runCost(GOLDEN, {...OUTPUT, promptTokens: null}).per1kOutputTokens).to.be.a('number')
    expect(runCost(GOLDEN, {...OUTPUT, seconds: null})).to.deep.equal({
      total: null,
      perRequest: null,
      per1kTokens: null,
      per1kOutputTokens: null,
    })
    expect(runCost(GOLDEN, {...OUTPUT, successes: 0, promptTokens: 0, completionTokens: 0})).to.include({
      perRequest: null,
      per1kTokens: null,
      per1kOutputTokens: null,
    })
  })
})

describe('money', () => {
  for (const [amount, decimals, text] of [
    [0.0023, 4, '$0.0023'],
    [2.45, 2, '$2.45'],
    [0, 4, '$0.0000'],
    [0.00003, 4, '$0.000030'],
    [0.000049999, 4, '$0.000050'],
    [0.00005, 4, '$0.0001'],
    [1e-9, 4, '$0.0000000010'],
  ] as const) {
    it(`${amount} is ${text}`, () => {
      expect(moneyText(amount, decimals)).to.equal(text)
    })
  }

  it('of another currency carries its code', () => {
    expect(moneyText(0.5, 2, 'EUR')).to.equal('0.50 EUR')
    expect(moneyParts([1, 2], 2, 'EUR')).to.deep.equal({total: '3.00 EUR', parts: ['1.00 EUR', '2.00 EUR']})
  })

  it('in parts adds up as printed', () => {
    // 1.80 + 0.45 + 0.20 = 2.45
    expect(moneyParts([1.8, 0.45, 0.2], 2)).to.deep.equal({
      total: '$2.45',
      parts: ['$1.80', '$0.45', '$0.20'],
    })
    // 0.334 + 0.333 + 0.333 = 1.00: the cent goes to the part that lost most.
    expect(moneyParts([0.334, 0.333, 0.333], 2)).to.deep.equal({
      total: '$1.00',
      parts: ['$0.34', '$0.33', '$0.33'],
    })
    for (let seed = 1; seed < 500; seed++) {
      const parts = [seed / 317, seed / 2111, (seed * 7) / 1009]
      const printed = moneyParts(parts, 2)
      const cents = (text: string): number => Math.round(Number(text.slice(1)) * 100)
      expect(printed.parts.reduce((sum, part) => sum + cents(part), 0)).to.equal(cents(printed.total))
      expect(cents(printed.total)).to.be.closeTo(parts.reduce((sum, part) => sum + part, 0) * 100, 0.51)
    }
  })

  it('in parts keeps more decimals where the sum would print as zero', () => {
    expect(moneyParts([0.0012, 0.0004, 0], 2)).to.deep.equal({
      total: '$0.0016',
      parts: ['$0.0012', '$0.0004', '$0.0000'],
    })
  })
})
