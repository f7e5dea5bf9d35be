import {expect} from 'chai'
import fc from 'fast-check'
import {formatKey, olderNames, parseKey, type CacheKey} from '../../../src/lib/tiers/core/cache-key.js'
import {DTYPES, type Dtype} from '../../../src/lib/tiers/core/dtypes.js'
import {diskFileName, folderOf, fsFileName, keyOfFsFile} from '../../../src/lib/tiers/core/file-names.js'
import {chunkLayout, layoutBytes, tokenBytes} from '../../../src/lib/tiers/core/memory-format.js'
import {readMetadata, writeMetadata} from '../../../src/lib/tiers/core/remote-metadata.js'
import {compressSlots, parseSlots} from '../../../src/lib/tiers/core/slot-list.js'

const LLAMA = 'meta-llama/Llama-3.1-8B-Instruct@1@0@-adc333b9eaa0e45@bfloat16'
const key = (text: string): CacheKey => {
  const parsed = parseKey(text)
  if (parsed === null) throw new Error(`${text} is no key`)
  return parsed
}

describe('cache keys', () => {
  it('are read and written in the form of today', () => {
    expect(key(LLAMA)).to.deep.equal({
      generation: 3,
      model: 'meta-llama/Llama-3.1-8B-Instruct',
      ...{worldSize: 1, workerId: 0, hash: '-adc333b9eaa0e45', dtype: 'bfloat16', layerId: null, tags: []},
    })
    expect(formatKey(key(LLAMA))).to.equal(LLAMA)
  })

  it('carry a layer and tags behind the dtype', () => {
    expect(key(`${LLAMA}@3`)).to.include({layerId: 3})
    expect(key(`${LLAMA}@user%7`).tags).to.deep.equal([['user', '7']])
    expect(formatKey({...key(LLAMA), layerId: 3, tags: [['user', '7']]})).to.equal(`${LLAMA}@3@user%7`)
  })

  for (const [generation, text, dtype] of [
    [1, 'vllm@meta-llama/Llama-3.1-8B-Instruct@1@0@5f05dec65811b7cc', null],
    [2, 'vllm@meta-llama/Llama-3.1-8B-Instruct@1@0@5f05dec65811b7cc@half', 'half'],
    [3, 'meta-llama/Llama-3.1-8B-Instruct@1@0@5f05dec65811b7cc@half', 'half'],
  ] as const) {
    it(`of generation ${generation} are told apart`, () => {
      expect(key(text)).to.include({generation, dtype, model: 'meta-llama/Llama-3.1-8B-Instruct'})
      expect(formatKey(key(text))).to.equal(text)
    })
  }

  it('name what older workers would have called them', () => {
    expect(olderNames(key('m@1@0@ab@half'))).to.deep.equal(['vllm@m@1@0@ab@half', 'vllm@m@1@0@ab'])
  })

  it('are refused when something is missing or is no tag', () => {
    for (const text of ['', 'm@1@0@ab', 'm@1@x@ab@half', 'm@1@0@xyz@half', `${LLAMA}@tag`, 'a@b@c@d@e'])
      expect(parseKey(text), text).to.equal(null)
  })

  it('are refused for tags that could not be read back', () => {
    for (const tags of [[['', 'x']], [['a@b', 'x']], [['a%b', 'x']], [['a', 'x@y']]] as const)
      expect(() => formatKey({...key(LLAMA), tags})).to.throw('cannot stand in a cache key')
  })

  it('survive writing and reading, whatever the model is called', () => {
    const word = fc.string({
      minLength: 1,
      unit: fc.constantFrom('a', 'z', '/', '-', '_', '.', '@', '0', '%', ' ', 'é'),
    })
    const tag = fc.string({unit: fc.constantFrom('a', 'z', '/', '-', '_', '.', ' ', 'é')})
    fc.assert(
      fc.property(
        fc.record({
          generation: fc.constant(3 as const),
          model: word.filter(name => !/^(vllm|sglang)@/.test(name)),
          worldSize: fc.nat(),
          workerId: fc.nat(),
          hash: fc.bigInt({min: -(2n ** 63n), max: 2n ** 64n - 1n}).map(hash => hash.toString(16)),
          dtype: fc.constantFrom(...(Object.keys(DTYPES) as Dtype[])),
          layerId: fc.option(fc.nat(100)),
          tags: fc.array(
            fc.tuple(
              tag.filter(name => name !== '' && !/^\d+$/.test(name)),
              tag,
            ),
          ),
        }),
        one => {
          expect(parseKey(formatKey(one))).to.deep.equal(one)
        },
      ),
      {numRuns: 500},
    )
  })
})

describe('file names of chunks', () => {
  it("are upstream's", () => {
    expect(fsFileName(LLAMA)).to.equal(
      'meta-llama-SEP-Llama-3.1-8B-Instruct@1@0@-adc333b9eaa0e45@bfloat16.data',
    )
    expect(diskFileName(LLAMA)).to.equal('meta-llama-Llama-3.1-8B-Instruct@1@0@-adc333b9eaa0e45@bfloat16.pt')
  })

  it('of the FS connector name their key, and other files none', () => {
    expect(keyOfFsFile(fsFileName(LLAMA))?.text).to.equal(LLAMA)
    for (const name of ['notes.txt', '.data', 'a.data', `${LLAMA}.data.tmp`])
      expect(keyOfFsFile(name), name).to.equal(null)
  })

  it('spread over folders by the magnitude of the hash', () => {
    expect(folderOf('-5', 3)).to.equal(2)
    expect(folderOf('5', 3)).to.equal(2)
    expect(folderOf('ffffffffffffffff', 1)).to.equal(0)
  })
})

describe('the header of a stored chunk', () => {
  const layout = {format: 'KV_2LTD', tensors: [{dtype: 'bfloat16', shape: [2, 32, 256, 1024]}]} as const

  it("is upstream's, byte for byte", () => {
    expect(writeMetadata(layout).toString('hex')).to.equal(
      '00000002' + '01000000' + '03000000' + '02000000' + '20000000' + '00010000' + '00040000',
    )
  })

  it('is read back, also of several tensors and of fewer dimensions', () => {
    const hybrid = {
      format: 'KV_T2D',
      tensors: [
        {dtype: 'half', shape: [16, 2, 64]},
        {dtype: 'uint8', shape: [5]},
      ],
    } as const
    for (const one of [layout, hybrid])
      expect(readMetadata(writeMetadata(one))).to.deep.equal({layout: one, payloadBytes: layoutBytes(one)})
    expect(writeMetadata(hybrid)).to.have.length(48)
  })

  it('takes the second code of float16, and shapes that were padded in front', () => {
    const old = Buffer.alloc(28)
    for (const [index, value] of [24, 7, 1, 0, 0, 3, 4].entries()) old.writeInt32LE(value, 4 * index)
    expect(readMetadata(old)).to.deep.equal({
      layout: {format: 'EC_TD', tensors: [{dtype: 'half', shape: [3, 4]}]},
      payloadBytes: 24,
    })
  })

  for (const [what, change, reason] of [
    [
      'a length that its shape does not weigh',
      (bytes: Buffer) => bytes.writeInt32LE(5, 0),
      'a length of 5 bytes',
    ],
    ['a negative length', (bytes: Buffer) => bytes.writeInt32LE(-1, 0), 'a length of -1 bytes'],
    ['an unknown format', (bytes: Buffer) => bytes.writeInt32LE(99, 4), 'memory format 99'],
    ['no format', (bytes: Buffer) => bytes.writeInt32LE(0, 4), 'memory format 0'],
    ['an unknown dtype', (bytes: Buffer) => bytes.writeInt32LE(42, 8), 'dtype code 42'],
    ['a negative dimension', (bytes: Buffer) => bytes.writeInt32LE(-2, 12), 'a shape of -2'],
    ['a hole in its shape', (bytes: Buffer) => bytes.writeInt32LE(0, 16), 'a shape of 2 × 0'],
  ] as const) {
    it(`is refused with ${what}`, () => {
      const bytes = writeMetadata(layout)
      change(bytes)
      expect((readMetadata(bytes) as {refusal: string}).refusal).to.contain(reason)
    })
  }

  it('is refused, never misread, whatever stands there', () => {
    fc.assert(
      fc.property(fc.uint8Array({maxLength: 64}), bytes => {
        const read = readMetadata(bytes)
        if ('layout' in read) expect(layoutBytes(read.layout)).to.equal(read.payloadBytes)
        else expect(read.refusal).to.not.equal('')
      }),
      {numRuns: 10_000},
    )
  })

  it('cannot be written for what it cannot say', () => {
    expect(() => writeMetadata({format: 'BINARY', tensors: [{dtype: 'int8', shape: [1]}]})).to.throw(
      'no code',
    )
    expect(() => writeMetadata({format: 'BINARY', tensors: [{dtype: 'half', shape: [2 ** 30]}]})).to.throw(
      '2 GiB',
    )
  })
})

describe('the layout of a chunk', () => {
  it('of Llama 3.1 8B has 33,554,432 bytes for 256 tokens, 131,072 a token', () => {
    const shape = {layers: 32, kvSize: 2, heads: 8, headSize: 128, dtype: 'bfloat16'} as const
    expect(layoutBytes(chunkLayout(shape, 256))).to.equal(33_554_432)
    expect(tokenBytes(shape)).to.equal(131_072)
  })
})

describe('slot lists', () => {
  for (const [text, slots, ranges] of [
    ['1,2,3,[9,12],17,19', [1, 2, 3, 9, 10, 11, 12, 17, 19], [[1, 3], [9, 12], 17, 19]],
    ['5,3,1,2,4', [5, 3, 1, 2, 4], [5, 3, 1, 2, 4]],
    ['0,1', [0, 1], [0, 1]],
    ['0,1,2', [0, 1, 2], [[0, 2]]],
    [' 0 , [ 1 , 3 ] ', [0, 1, 2, 3], [[0, 3]]],
    ['[0,1][5,6]', [0, 1, 5, 6], [0, 1, 5, 6]],
    ['[1,2]3', [1, 2, 3], [[1, 3]]],
    [',,4,,', [4], [4]],
    ['-1', [-1], [-1]],
    ['2,2', [2, 2], [2, 2]],
  ] as const) {
    it(`read '${text}'`, () => {
      expect(parseSlots(text)).to.deep.equal(slots)
      expect(compressSlots(slots)).to.deep.equal(ranges)
    })
  }

  for (const text of [
    '[1',
    '1]',
    '[2,1]',
    '[1,2,3]',
    '[a,b]',
    'a',
    '1[2,3]',
    '[[1,2]]',
    '[-1,2]',
    '1.5',
    '[0,99999999999]',
  ])
    it(`refuse '${text}'`, () => {
      expect(parseSlots(text)).to.be.a('string').and.not.equal('')
    })

  it('survive compression and reading', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(50)), slots => {
        const text = compressSlots(slots)
          .map(range => (typeof range === 'number' ? range : `[${range.join()}]`))
          .join()
        expect(parseSlots(text)).to.deep.equal(slots)
      }),
    )
  })
})
