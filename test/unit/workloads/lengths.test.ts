import {expect} from 'chai'
import {seededRandom} from '../../../src/lib/foundation/index.js'
import {parseLengths} from '../../../src/lib/workloads/index.js'

const draw = (spec: string, count = 20_000): number[] => {
  const [random, next] = [seededRandom(1), parseLengths(spec)]
  return Array.from({length: count}, () => next(random))
}
const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length
const deviation = (values: readonly number[]): number => {
  const middle = mean(values)
  return Math.sqrt(mean(values.map(value => (value - middle) ** 2)))
}
const share = (values: readonly number[], wanted: number): number =>
  values.filter(value => value === wanted).length / values.length

describe('lengths', () => {
  it('of one number are that number', () => {
    expect(new Set(draw('512'))).to.deep.equal(new Set([512]))
    expect(new Set(draw('fixed(7)'))).to.deep.equal(new Set([7]))
  })

  it('of a range are every whole number in it alike', () => {
    const lengths = draw('3:6')
    for (const length of [3, 4, 5, 6]) expect(share(lengths, length)).to.be.closeTo(0.25, 0.02)
  })

  it('of a normal distribution have its mean and deviation, and stay within its limits', () => {
    const lengths = draw('N(480,100)')
    expect(mean(lengths)).to.be.closeTo(480, 3)
    expect(deviation(lengths)).to.be.closeTo(100, 2)
    const limited = draw('normal(480,100,400,500)')
    expect([Math.min(...limited), Math.max(...limited)]).to.deep.equal([400, 500])
  })

  it('of a log-normal distribution have the mean and deviation that were given, not those of the logarithms', () => {
    const lengths = draw('lognormal(512,200)')
    expect(mean(lengths)).to.be.closeTo(512, 6)
    expect(deviation(lengths)).to.be.closeTo(200, 8)
  })

  it('of a Zipf distribution fall with the rank: half as many of the second where s is 1', () => {
    const lengths = draw('zipf(1,10,12)')
    // 1 + 1/2 + 1/3 = 11/6
    expect(share(lengths, 10)).to.be.closeTo(6 / 11, 0.02)
    expect(share(lengths, 11)).to.be.closeTo(3 / 11, 0.02)
    expect(share(lengths, 12)).to.be.closeTo(2 / 11, 0.02)
  })

  it('of a choice come by their weights', () => {
    const lengths = draw('choice(3:128,1:2048)')
    expect(share(lengths, 128)).to.be.closeTo(0.75, 0.02)
    expect(share(lengths, 2048)).to.be.closeTo(0.25, 0.02)
  })

  for (const spec of [
    '',
    '0',
    '-3',
    '9:3',
    'N(480)',
    'normal(a,b)',
    'zipf(1,5)',
    'choice()',
    'choice(0:5)',
    'weird(1)',
  ]) {
    it(`are not '${spec}'`, () => {
      expect(() => parseLengths(spec))
        .to.throw('distribution of lengths')
        .with.property('code', 'LENGTHS_INVALID')
    })
  }
})
