import {expect} from 'chai'
import {BloomFilter} from '../../../src/lib/tiers/core/bloom-filter.js'
import {combinedChecksums, hasChecksum, layerChecksums} from '../../../src/lib/tiers/core/kv-checksum.js'

describe('checksums of KV rows', () => {
  it("of float32 are upstream's, layer by layer and combined", () => {
    // [2, 1, 4, 1, 2] holding 0 to 15: K rows of the 4 slots, then V rows.
    const bytes = new Uint8Array(Float32Array.from({length: 16}, (_, index) => index).buffer)
    const layer = layerChecksums({name: 'layer_0', dtype: 'float', kvSize: 2, rowBytes: 8, bytes}, 2)
    expect(layer).to.deep.equal(['17e893f09ee115feeb3161220f6f380b', '2d20bce9dc31028b388465e6d5875574'])
    expect(combinedChecksums(new Map([['layer_0', layer]]))).to.deep.equal([
      '9b40e99d029cb698962b3a7d443cb063',
      '0b0150680e80f6ec49cacd02523f1870',
    ])
  })

  it("of bfloat16 with latent attention are upstream's: widened, one plane", () => {
    const layer = (name: string, from: number): string[] => {
      const halves = Uint16Array.from({length: 8}, (_, index) => {
        const float = new Uint32Array(Float32Array.of(from + index).buffer)
        return float[0]! >>> 16
      })
      const bytes = new Uint8Array(halves.buffer)
      return layerChecksums({name, dtype: 'bfloat16', kvSize: 1, rowBytes: 4, bytes}, 2)
    }
    const layers = new Map([
      ['layer_0', layer('layer_0', 0)],
      ['layer_1', layer('layer_1', 8)],
    ])
    expect(Object.fromEntries(layers)).to.deep.equal({
      layer_0: ['6d8ca9f67d9914dd04b31533021b7e17', '42caa1efd397bc8bdc40b75e046c8a84'],
      layer_1: ['1379790e02fe52351616ba9caf1d834d', '5619484bbe2fd6d803e91dcf8e4fab28'],
    })
    expect(combinedChecksums(layers)).to.deep.equal([
      '9fbe7075d36b19db432775b4231938ba',
      'b017c5139e52baa321dd06fdf1364ac2',
    ])
  })

  it('of the last, shorter chunk cover what is left', () => {
    const bytes = new Uint8Array(3 * 4)
    expect(layerChecksums({name: 'a', dtype: 'float', kvSize: 1, rowBytes: 4, bytes}, 2)).to.have.length(2)
  })

  it('are not known for floats of 8 bits', () => {
    expect([hasChecksum('bfloat16'), hasChecksum('fp8_e5m2')]).to.deep.equal([true, false])
  })
})

describe('the Bloom filter', () => {
  it("has upstream's size, hashes and positions for 20 million chunks at 1 %", () => {
    const filter = new BloomFilter(20_000_000, 0.01)
    expect([filter.sizeBits, filter.hashCount]).to.deep.equal([191_701_167, 6])
    expect(filter.positions(0x2b763dd00afa89c8n)).to.deep.equal([
      166510442, 128814453, 184804845, 183231677, 123930620, 119231102,
    ])
    expect(filter.figures.sizeMb).to.be.closeTo(22.85, 0.01)
  })

  it('knows what it has seen, negative hashes included, and forgets all at once', () => {
    const filter = new BloomFilter(1000, 0.01)
    expect([filter.add(-5n), filter.add(-5n), filter.add(0n)]).to.deep.equal([true, false, true])
    expect(filter.figures).to.include({itemCount: 2, expectedElements: 1000, falsePositiveRate: 0.01})
    filter.clear()
    expect([filter.add(-5n), filter.figures.itemCount]).to.deep.equal([true, 1])
  })

  it('takes few new ones for known once it holds what was expected', () => {
    const filter = new BloomFilter(1000, 0.01)
    for (let item = 0n; item < 1000n; item++) filter.add(item)
    let wrong = 0
    for (let item = 0n; item < 200n; item++) if (!filter.add(item + 1_000_000n)) wrong++
    expect(wrong).to.be.lessThan(20)
  })
})
