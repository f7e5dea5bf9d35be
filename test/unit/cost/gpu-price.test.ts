import {expect} from 'chai'
import {EXAMPLE_PRICES, findGpuPrice, parseGpuName, type PriceList} from '../../../src/lib/cost/index.js'

const LIST: PriceList = {
  ...EXAMPLE_PRICES,
  source: 'own.yaml',
  gpuHourly: {
    ...EXAMPLE_PRICES.gpuHourly,
    'nvidia-tesla-l40s': 1.28,
    'nvidia-geforce-rtx-4090': 0.83,
    A30: 1,
  },
}

describe('names of GPUs', () => {
  for (const [name, family, memoryGb, migProfile] of [
    ['NVIDIA-A100-SXM4-80GB', 'A100', 80, null],
    ['NVIDIA A100 80GB PCIe', 'A100', 80, null],
    ['nvidia-tesla-a100-80gb', 'A100', 80, null],
    ['NVIDIA-H100-80GB-HBM3', 'H100', 80, null],
    ['NVIDIA-H200', 'H200', null, null],
    ['A10 24 GB', 'A10', 24, null],
    ['Tesla V100-SXM2-16GB', 'V100', 16, null],
    ['NVIDIA GeForce RTX 4090', 'RTX 4090', null, null],
    ['NVIDIA-RTX-6000-Ada-Generation', 'RTX 6000 ADA GENERATION', null, null],
    ['NVIDIA-A100-SXM4-40GB-MIG-1g.5gb', 'A100', 40, '1g.5gb'],
    ['NVIDIA A100-SXM4-80GB MIG 3g.40gb', 'A100', 80, '3g.40gb'],
    ['NVIDIA-H100-80GB-HBM3-MIG-1g.10gb.me', 'H100', 80, '1g.10gb'],
    ['H100-80GB-MIG-1g.10gb+me', 'H100', 80, '1g.10gb'],
    ['NVIDIA A100-SXM4-40GB MIG 1c.3g.20gb', 'A100', 40, '1c.3g.20gb'],
  ] as const) {
    it(`${name} is ${family} with ${memoryGb ?? 'unknown'} GB${migProfile === null ? '' : `, slice ${migProfile}`}`, () => {
      expect(parseGpuName(name)).to.deep.equal({family, memoryGb, migProfile})
    })
  }
})

describe('the price of a GPU', () => {
  for (const [product, entry, hourly] of [
    ['NVIDIA-A10', 'NVIDIA-A10', 1.1],
    ['nvidia-a100-80gb', 'NVIDIA-A100-80GB', 4.9],
    ['NVIDIA-A100-SXM4-80GB', 'NVIDIA-A100-80GB', 4.9],
    ['NVIDIA A100-PCIE-40GB', 'NVIDIA-A100-40GB', 3.5],
    ['NVIDIA-H100-80GB-HBM3', 'NVIDIA-H100-80GB', 6.5],
    ['H100', 'NVIDIA-H100-80GB', 6.5],
    ['NVIDIA A10 24GB', 'NVIDIA-A10', 1.1],
    ['NVIDIA-L40S', 'nvidia-tesla-l40s', 1.28],
    ['RTX-4090', 'nvidia-geforce-rtx-4090', 0.83],
  ] as const) {
    it(`of ${product} is that of ${entry}`, () => {
      expect(findGpuPrice(product, LIST)).to.include({entry, hourly, isDefault: false})
    })
  }

  it('is the exact entry before one of the same model', () => {
    const list = {...LIST, gpuHourly: {'A100-80GB': 3, 'NVIDIA-A100-SXM4-80GB': 4}}
    expect(findGpuPrice('NVIDIA-A100-SXM4-80GB', list)).to.include({hourly: 4, rule: 'exact'})
    expect(findGpuPrice('NVIDIA-A100-SXM4-80GB', {...LIST, gpuHourly: {'A100-80GB': 3, A100: 2}})).to.include(
      {
        hourly: 3,
        rule: 'same model',
      },
    )
  })

  for (const product of [
    'NVIDIA-A10G',
    'NVIDIA-A100X',
    'L40',
    'A100-64GB',
    'H100-NVL',
    'NVIDIA-H200',
    'A1',
    '',
  ]) {
    it(`of ${product || 'nothing'} is not that of a name like it`, () => {
      expect(() => findGpuPrice(product, LIST))
        .to.throw(`own.yaml has no price for '${product}'`)
        .with.property('suggestions')
        .that.includes(`known are ${Object.keys(LIST.gpuHourly).join(', ')}`)
    })
  }

  it('of A100 without its size is refused where 40 GB and 80 GB differ', () => {
    expect(() => findGpuPrice('NVIDIA-A100', LIST))
      .to.throw("'NVIDIA-A100' may be NVIDIA-A100-40GB or NVIDIA-A100-80GB, whose prices differ")
      .with.property('code', 'GPU_AMBIGUOUS')
    const same = {...LIST, gpuHourly: {'A100-40GB': 3, 'A100-80GB': 3}}
    expect(findGpuPrice('A100', same).hourly).to.equal(3)
  })

  it('of one that the list lacks is its default, if it has one, and says so', () => {
    expect(findGpuPrice('MI300X', {...LIST, gpuDefaultHourly: 1.5})).to.deep.equal({
      hourly: 1.5,
      rule: 'default',
      entry: 'default',
      isDefault: true,
    })
  })

  it('of a MIG slice is a seventh of the GPU for each compute slice; a quarter on A30', () => {
    const slice = (product: string): number => findGpuPrice(product, LIST).hourly
    expect(slice('NVIDIA-A100-SXM4-40GB-MIG-1g.5gb')).to.equal(3.5 / 7)
    expect(slice('NVIDIA-A100-SXM4-80GB-MIG-3g.40gb')).to.equal((4.9 * 3) / 7)
    expect(slice('A100-40GB-MIG-7g.40gb')).to.equal(3.5)
    expect(slice('A100-40GB-MIG-1c.3g.20gb')).to.equal(3.5 / 7)
    expect(slice('NVIDIA-A30-MIG-1g.6gb')).to.equal(1 / 4)
    expect(findGpuPrice('A100-40GB-MIG-2g.10gb', LIST).rule).to.equal('2/7 of NVIDIA-A100-40GB')
  })

  it('of a MIG slice that the list prices is what it says', () => {
    const list = {...LIST, migHourly: {'1g.5gb': 0.6}}
    expect(findGpuPrice('NVIDIA-A100-SXM4-40GB-MIG-1g.5gb', list).hourly).to.equal(0.6)
    const labelled = {...LIST, gpuHourly: {...LIST.gpuHourly, 'NVIDIA-A100-SXM4-40GB-MIG-1g.5gb': 0.7}}
    expect(findGpuPrice('NVIDIA-A100-SXM4-40GB-MIG-1g.5gb', labelled).hourly).to.equal(0.7)
    expect(findGpuPrice('A100-40GB', labelled).hourly).to.equal(3.5)
  })
})
