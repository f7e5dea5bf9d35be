import {expect} from 'chai'
import {parseYaml} from '../../../src/lib/config/index.js'
import {EXAMPLE_PRICES, priceListOf, type PriceList} from '../../../src/lib/cost/index.js'

function read(text: string): PriceList {
  return priceListOf(parseYaml(text, 'cost.yaml')).list
}

const MAIN = `gpu:
  default: 1.50
  NVIDIA-A10: 1.10
cpu:
  hourly_per_core: 0.03
memory:
  hourly_per_gib: 0.004
overhead:
  fraction: 0.2
calculation:
  use_requests: true
  include_sidecars: false
`

describe('a price file', () => {
  it("may have the form of kserve-vllm-mini's own", () => {
    expect(read(MAIN)).to.deep.equal({
      source: 'cost.yaml',
      currency: 'USD',
      gpuHourly: {'NVIDIA-A10': 1.1},
      gpuDefaultHourly: 1.5,
      migHourly: {},
      cpuHourlyPerCore: 0.03,
      memoryHourlyPerGib: 0.004,
      overheadFraction: 0.2,
      spotMultiplier: null,
      regionMultipliers: {},
      counting: {usesRequests: true, includesSidecars: false},
      assumed: [],
    })
  })

  it('may have the form of its documentation site, with traffic, storage and carbon', () => {
    const {list, warnings} = priceListOf(
      parseYaml(
        `${MAIN}network: {egress_per_gb: 0.12, ingress_per_gb: 0}\nstorage: {ssd_per_gb_month: 0.1}\ncarbon: {usd_per_kg_co2: 0.05}\n`,
        'cost.yaml',
      ),
    )
    expect(list).to.deep.equal(read(MAIN))
    expect(warnings).to.deep.equal([])
  })

  it('may have the form of its planner: memory per 10⁹ bytes, factors of regions, no overhead', () => {
    const list = read(`gpus: {nvidia-tesla-a100-80gb: 3.06}
cpu_per_hour: 0.04761
memory_per_gb_hour: 0.00638
storage_per_gb_hour: 0.000137
regions: {us-central1: {multiplier: 1.0}, us-east1: 0.95}
`)
    expect(list).to.deep.include({
      gpuHourly: {'nvidia-tesla-a100-80gb': 3.06},
      gpuDefaultHourly: null,
      cpuHourlyPerCore: 0.04761,
      overheadFraction: 0,
      regionMultipliers: {'us-central1': 1, 'us-east1': 0.95},
    })
    expect(list.memoryHourlyPerGib).to.be.closeTo((0.00638 * 1024 ** 3) / 1e9, 1e-12)
  })

  it("takes upstream's figures for what it lacks, and says for what", () => {
    const list = read('gpu: {A10: 1}\ncpu: {hourly_per_core: 0.03}\n')
    expect(list).to.deep.include({
      cpuHourlyPerCore: 0.03,
      memoryHourlyPerGib: EXAMPLE_PRICES.memoryHourlyPerGib,
      overheadFraction: EXAMPLE_PRICES.overheadFraction,
      assumed: ['memory', 'overhead'],
    })
  })

  it('in another currency does not take prices in dollars', () => {
    expect(read('currency: EUR\ngpu: {A10: 1}\n')).to.deep.include({
      currency: 'EUR',
      cpuHourlyPerCore: null,
      memoryHourlyPerGib: null,
      overheadFraction: 0.1,
      assumed: ['overhead'],
    })
  })

  it('may price slices and spot machines', () => {
    expect(read('gpu: {A10: 1}\nmig: {1g.5gb: 0.6}\nspot_multiplier: 0.3\n')).to.deep.include({
      migHourly: {'1g.5gb': 0.6},
      spotMultiplier: 0.3,
    })
  })

  it('names keys that mean nothing, with their line', () => {
    expect(priceListOf(parseYaml('gpu: {A10: 1}\ngpu_hours: 3\n', 'cost.yaml')).warnings).to.deep.equal([
      "cost.yaml:2: unknown key 'gpu_hours' is ignored",
    ])
  })

  for (const [what, text, message] of [
    ['a negative price', 'gpu:\n  A10: 1\n  A100: -3\n', /^cost\.yaml:3: gpu\.A100: /],
    ['a price in words', 'gpu:\n  A10: "$1.10"\n', /^cost\.yaml:2: gpu\.A10: /],
    ['a misspelt price', 'cpu:\n  hourly_per_cor: 1\n', /^cost\.yaml:2: cpu.*: unrecognized key/],
    ['a negative planner price', 'gpus:\n  a10: 1\ncpu_per_hour: -1\n', /^cost\.yaml:3: cpu_per_hour: /],
    ['a factor of zero', 'gpus: {a10: 1}\nregions:\n  eu: 0\n', /^cost\.yaml:3: regions\.eu/],
    ['a currency that is none', 'currency: dollars\n', /^cost\.yaml:1: currency: is not a currency code/],
    [
      'two forms at once',
      'cpu: {hourly_per_core: 1}\ngpus: {a10: 1}\n',
      /^cost\.yaml:1: 'cpu' and 'gpus' \(line 2\) belong to different forms/,
    ],
    ['a list', '- 1\n', /^cost\.yaml:1: /],
    ['nothing at all', '', /^cost\.yaml:1: /],
  ] as const) {
    it(`is refused for ${what}`, () => {
      expect(() => read(text))
        .to.throw(message)
        .with.property('code', 'COST_CONFIG_INVALID')
    })
  }
})
