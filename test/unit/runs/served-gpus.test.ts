import {expect} from 'chai'
import {ServedGpus, type TimeSample} from '../../../src/lib/runs/index.js'

type Gpu = NonNullable<TimeSample['gpus']>[number]

function gpu(index: number, name: string | null, serves: boolean | null, more: Partial<Gpu> = {}): Gpu {
  return {index, name, serves, utilization: null, memory_used_bytes: null, power_watts: null, ...more}
}

describe('the GPUs that served a run', () => {
  const told = (...looks: readonly Gpu[][]) => {
    const served = new ServedGpus()
    for (const look of looks) served.add(look)
    return served.result
  }

  it('are those that a process of the server was seen on, at any look', () => {
    const [early, late] = [
      [gpu(0, 'A10', null), gpu(1, 'A10', null)],
      [gpu(0, 'A10', false), gpu(1, 'A10', true)],
    ]
    expect(told(early, late, early)).to.deep.equal({kinds: [{product: 'A10', count: 1}], isSure: true})
  })

  it('may be all of the machine where none was seen', () => {
    expect(told([gpu(0, 'A10', null), gpu(1, 'L4', null), gpu(2, 'A10', null)])).to.deep.equal({
      kinds: [
        {product: 'A10', count: 2},
        {product: 'L4', count: 1},
      ],
      isSure: false,
    })
  })

  it('are slices where a GPU is in MIG mode', () => {
    const slices = ['A100 MIG 1g.5gb', 'A100 MIG 3g.20gb', 'A100 MIG 1g.5gb'].map((name, index) => ({
      index,
      name,
      serves: index !== 1,
    }))
    expect(told([gpu(0, 'A100', true, {mig_devices: slices}), gpu(1, 'A100', false)])).to.deep.equal({
      kinds: [{product: 'A100 MIG 1g.5gb', count: 2}],
      isSure: true,
    })
  })

  it('keep the name of an earlier look that the driver knew it in', () => {
    expect(told([gpu(0, 'A10', true)], [gpu(0, null, null)])?.kinds).to.deep.equal([
      {product: 'A10', count: 1},
    ])
    expect(told([gpu(0, null, true)])?.kinds).to.deep.equal([{product: null, count: 1}])
    expect(told([])).to.equal(null)
  })
})
