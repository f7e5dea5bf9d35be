import {execFileSync} from 'node:child_process'
import {expect} from 'chai'
import {
  createChunkHasher,
  hashText,
  type ChunkHasherOptions,
} from '../../../src/lib/tiers/core/hash/chunk-hasher.js'
import {pythonStringHash} from '../../../src/lib/tiers/core/hash/python-hash.js'
import {sipHash} from '../../../src/lib/tiers/core/hash/sip-hash.js'
import {EMPTY_TUPLE_HASH} from '../../../src/lib/tiers/core/hash/python-hash.js'
import {planChunks} from '../../../src/lib/tiers/core/plan-chunks.js'
import {describeWith} from '../../support/requires.js'

const upTo = (count: number): number[] => Array.from({length: count}, (_, index) => index)

const builtin: ChunkHasherOptions = {
  algorithm: 'builtin',
  seed: null,
  variant: 'siphash13',
  keepsBytes: false,
}

function hashes(options: Partial<ChunkHasherOptions>, tokens = upTo(512), chunkSize = 256): string[] {
  const hasher = createChunkHasher({...builtin, ...options})
  return planChunks(hasher, tokens, chunkSize, true).map(({hash}) => hashText(hash))
}

function startOf(options: Partial<ChunkHasherOptions>): string {
  return hashText(createChunkHasher({...builtin, ...options}).start)
}

describe('chunk hashes', () => {
  for (const [what, options, start, first, second] of [
    ['builtin without vLLM', {}, '0', '2b763dd00afa89c8', '79e62c807b48385b'],
    [
      'builtin, PYTHONHASHSEED=0, Python 3.11 and later',
      {seed: '0'},
      5313149338359954478n.toString(16),
      '5f05dec65811b7cc',
      '-adc333b9eaa0e45',
    ],
    [
      'builtin, PYTHONHASHSEED=0, Python 3.10 and before',
      {seed: '0', variant: 'siphash24'},
      (-5282990986457227702n).toString(16),
      '-13103fa81e4e973f',
      '-e6f5a81aa623c3d',
    ],
    [
      'builtin, PYTHONHASHSEED=123, Python 3.11 and later',
      {seed: '123'},
      (-6197052367682486848n).toString(16),
      '-19d582f62e617594',
      '-640699cbac4e8211',
    ],
    [
      'sha256_cbor folded, seed 0',
      {algorithm: 'sha256_cbor', seed: '0'},
      '4e1195df020de59e',
      'b8a960cfcc69e7a5',
      'cc309e143d545625',
    ],
    [
      'sha256_cbor_64bit, seed 0',
      {algorithm: 'sha256_cbor_64bit', seed: '0'},
      '4e1195df020de59e',
      'b8a960cfcc69e7a5',
      'cc309e143d545625',
    ],
    [
      'sha256_cbor kept whole, seed 0',
      {algorithm: 'sha256_cbor', seed: '0', keepsBytes: true},
      '4e1195df020de59e0d65a33a4279f1183e7ae4e5d980e309f8b55adff2e61c3e',
      '8b81dbad38c4b07b71e4def300d2cc1cf7e45ae1ee2ec983e0f92070d955e2dc',
      '781718220b72190ce94eeac369ffd9845a1ce1f72fd9639121f2fea4248401a5',
    ],
    [
      'sha256 (pickle 5) folded, seed 0',
      {algorithm: 'sha256', seed: '0'},
      '1973e23848344dc4',
      'a8ff4c2f0c4657fa',
      '27d757e52fa4414b',
    ],
  ] as const) {
    it(`of ${what} are upstream's`, () => {
      expect(startOf(options)).to.equal(start)
      expect(hashes(options)).to.deep.equal([first, second])
    })
  }

  for (const [what, options, expected] of [
    ['without vLLM', {}, ['-1a6e12a9bdb7fd70', '44f2b6c6f61bea69', '-6155cdb9960be4c3']],
    ['seed 0, 3.11', {seed: '0'}, ['6e9ca116c2360103', '677ea5bfa434164c', '-956d789da941a0e']],
    [
      'seed 0, 3.10',
      {seed: '0', variant: 'siphash24'},
      ['-58f49021e7011e77', '74bbb647293fc48d', '5bf064722168934e'],
    ],
  ] as const) {
    it(`of 16 tokens, ${what}, are upstream's`, () => {
      expect(hashes(options, upTo(48), 16)).to.deep.equal(expected)
    })
  }

  it('cover what is left behind the last whole chunk, where that is asked for', () => {
    const hasher = createChunkHasher(builtin)
    expect(
      planChunks(hasher, upTo(100), 256, true).map(({start, end, hash}) => [start, end, hashText(hash)]),
    ).to.deep.equal([[0, 100, '-2f11378d770c35b']])
    expect(planChunks(hasher, upTo(100), 256, false)).to.deep.equal([])
  })

  it('of builtin take memory for chunks of any length', () => {
    expect(hashes({}, upTo(100_000), 100_000)).to.have.length(1)
    expect(hashes({})).to.deep.equal(['2b763dd00afa89c8', '79e62c807b48385b'])
  })

  it('begin at random bytes where SHA-256 has no seed, so that two workers never share by accident', () => {
    expect(startOf({algorithm: 'sha256_cbor'})).to.not.equal(startOf({algorithm: 'sha256_cbor'}))
  })

  it('rest on SipHash with the published vectors', () => {
    // veorq/SipHash:vectors.h, key 00…0f, message 00…0e of 15 bytes.
    const key = [0x0706050403020100n, 0x0f0e0d0c0b0a0908n] as const
    expect(sipHash(Uint8Array.from(upTo(15)), key, [2, 4])).to.equal(0xa129ca6149be45e5n)
    expect(sipHash(new Uint8Array(), key, [2, 4])).to.equal(0x726fdb47dd0e0e31n)
    expect(pythonStringHash('0', 0, 'siphash13')).to.equal(5313149338359954478n)
    expect(pythonStringHash('0', 0, 'siphash24')).to.equal(-5282990986457227702n)
    expect(EMPTY_TUPLE_HASH).to.equal(5740354900026072187n)
  })
})

describeWith(['python3'], 'chunk hashes beside CPython', () => {
  const python = (lines: string): string =>
    execFileSync('python3', ['-c', lines], {
      encoding: 'utf8',
      env: {...process.env, PYTHONHASHSEED: '0'},
    }).trim()
  const tokens = [0, 1, 255, 256, 65_535, 65_536, 2 ** 31 - 1, 2 ** 31, 2 ** 40, -1, -2, -300, -(2 ** 31) - 1]

  it('of builtin agree, token by token', () => {
    const script = `
h = 0
for t in ${JSON.stringify(tokens)}:
    h = hash((h, (t,), ()))
    print(f'{h:x}')`
    expect(hashes({}, tokens, 1).join('\n')).to.equal(python(script))
  })

  for (const count of [1, 2, 3, 13, 40_000]) {
    it(`of pickles of ${count} tokens agree, frames included`, () => {
      const many = Array.from({length: count}, (_, index) => tokens[index % tokens.length]! + index)
      const script = `
import pickle, hashlib
t = ${JSON.stringify(tokens)}
many = tuple(t[i % len(t)] + i for i in range(${count}))
fold = lambda x: int.from_bytes(hashlib.sha256(pickle.dumps(x, protocol=5)).digest()[:8], 'big')
h = fold('0')
for _ in range(3):
    h = fold((h, many, ()))
    print(f'{h:x}')`
      const hasher = createChunkHasher({...builtin, algorithm: 'sha256', seed: '0'})
      let hash = hasher.start
      const ours = upTo(3).map(() => hashText((hash = hasher.next(hash, many, 0, count))))
      expect(ours.join('\n')).to.equal(python(script))
    })
  }
})
