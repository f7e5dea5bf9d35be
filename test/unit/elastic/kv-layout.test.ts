import {expect} from 'chai'
import {ConfigurationError} from '../../../src/lib/foundation/index.js'
import {
  checkAttention,
  sglangLayout,
  vllmLayout,
  type PoolGeometry,
  type StridedView,
} from '../../../src/lib/elastic/kv-layout.js'

const PAGE = 4096
/** 3 layers, 2 bytes an element, pages of 4 KiB, 100 KiB of memory. */
const geometry = (isContiguous: boolean): PoolGeometry => ({
  numLayers: 3,
  pageBytes: PAGE,
  isContiguous,
  deviceBytes: 102_400,
  itemBytes: 2,
})
/** Blocks of 4 tokens, 2 heads of 8: 128 bytes each. */
const [TOKENS, HEADS, SIZE, BLOCK] = [4, 2, 8, 4 * 2 * 8 * 2]
/** floor(floor(102400 / 3) / 2) = 17066, floored to pages. */
const BUFFER = 4 * PAGE
const BLOCKS = BUFFER / BLOCK

const offsetOf = ({byteOffset, strides}: StridedView, index: readonly number[]): number =>
  byteOffset + 2 * index.reduce((sum, at, dimension) => sum + at * strides[dimension]!, 0)

describe('the layout of a KV cache', () => {
  const flash = (isContiguous: boolean) =>
    vllmLayout(
      {shape: [2, 7, TOKENS, HEADS, SIZE], blockSize: TOKENS, attentionType: 'MHA', kernelBlockSize: TOKENS},
      geometry(isContiguous),
    )

  it('has room for as many blocks as memory has pages for, whatever number was asked for', () => {
    expect(flash(true)).to.deep.include({
      buffers: 2,
      blockBytes: BLOCK,
      bufferBytes: BUFFER,
      numBlocks: BLOCKS,
    })
    expect(flash(true).views.map(view => view.shape)).to.deep.equal(
      Array(3).fill([2, BLOCKS, TOKENS, HEADS, SIZE]),
    )
    const mla = vllmLayout(
      {shape: [7, TOKENS, 32], blockSize: TOKENS, attentionType: 'MLA', kernelBlockSize: TOKENS},
      geometry(true),
    )
    // One buffer: floor(102400 / 3) = 34133, floored to two pages.
    expect(mla).to.deep.include({buffers: 1, blockBytes: 256, bufferBytes: 8 * PAGE, numBlocks: 128})
  })

  it('puts the next block of a layer behind all layers and both buffers when it is contiguous', () => {
    const {views} = flash(true)
    for (const layer of [0, 2]) {
      const at = (...index: number[]): number => offsetOf(views[layer]!, index)
      expect(views[layer]!.range).to.equal(0)
      expect(at(0, 0, 0, 0, 0)).to.equal(layer * 2 * BLOCK)
      expect(at(1, 0, 0, 0, 0) - at(0, 0, 0, 0, 0), 'K to V').to.equal(BLOCK)
      expect(at(0, 1, 0, 0, 0) - at(0, 0, 0, 0, 0), 'block to block').to.equal(3 * 2 * BLOCK)
      expect(at(0, 0, 1, 1, 3) - at(0, 0, 0, 0, 0), 'within a block').to.equal(2 * (HEADS * SIZE + SIZE + 3))
    }
  })

  it('puts the next block right behind, and V in the second half, when every layer has a range', () => {
    const {views} = flash(false)
    expect(views.map(({range, byteOffset}) => [range, byteOffset])).to.deep.equal([
      [0, 0],
      [1, 0],
      [2, 0],
    ])
    expect(offsetOf(views[1]!, [0, 5, 0, 0, 0])).to.equal(5 * BLOCK)
    expect(offsetOf(views[1]!, [1, 5, 0, 0, 0])).to.equal(BUFFER + 5 * BLOCK)
  })

  it('is the same bytes for FlashInfer, whose blocks come before K and V', () => {
    for (const isContiguous of [true, false]) {
      const {views} = vllmLayout(
        {
          shape: [7, 2, TOKENS, HEADS, SIZE],
          blockSize: TOKENS,
          attentionType: 'GQA',
          kernelBlockSize: TOKENS,
        },
        geometry(isContiguous),
      )
      expect(views[2]!.shape).to.deep.equal([BLOCKS, 2, TOKENS, HEADS, SIZE])
      for (const [block, half] of [
        [0, 1],
        [9, 0],
        [9, 1],
      ] as const) {
        expect(offsetOf(views[2]!, [block, half, 1, 1, 1])).to.equal(
          offsetOf(flash(isContiguous).views[2]!, [half, block, 1, 1, 1]),
        )
      }
    }
  })

  it('has kernel blocks inside blocks where every layer has a range, and refuses them otherwise', () => {
    const asked = {
      shape: [2, 7, TOKENS, HEADS, SIZE],
      blockSize: TOKENS,
      attentionType: 'MHA' as const,
      kernelBlockSize: 2,
    }
    const {views} = vllmLayout(asked, geometry(false))
    expect(views[0]!.shape).to.deep.equal([2, 2 * BLOCKS, 2, HEADS, SIZE])
    expect(offsetOf(views[0]!, [0, 3, 0, 0, 0])).to.equal(3 * (BLOCK / 2))
    expect(() => vllmLayout(asked, geometry(true))).to.throw(ConfigurationError, 'kernel blocks of 2 tokens')
    expect(() => vllmLayout({...asked, kernelBlockSize: 3}, geometry(false))).to.throw(
      'must be a multiple of',
    )
  })

  it('keeps K and V of a block together for hybrid models', () => {
    const hybrid = (isContiguous: boolean): StridedView[] =>
      vllmLayout(
        {
          shape: [2, 7, TOKENS, HEADS, SIZE],
          blockSize: TOKENS,
          attentionType: 'HYBRID_LINEAR',
          kernelBlockSize: TOKENS,
        },
        geometry(isContiguous),
      ).views
    expect(offsetOf(hybrid(false)[1]!, [1, 3, 0, 0, 0])).to.equal(3 * 2 * BLOCK + BLOCK)
    expect(offsetOf(hybrid(true)[1]!, [1, 3, 0, 0, 0])).to.equal((3 * 3 + 1) * 2 * BLOCK + BLOCK)
  })

  it('interleaves layers by token for SGLang when it is contiguous', () => {
    const asked = {shape: [50, HEADS, SIZE], pageSize: TOKENS, attentionType: 'MHA' as const}
    const token = HEADS * SIZE * 2
    const together = sglangLayout(asked, geometry(true))
    expect(together.keys[1]!.shape).to.deep.equal([BLOCKS * TOKENS, HEADS, SIZE])
    expect(offsetOf(together.keys[1]!, [5, 1, 2])).to.equal((5 * 3 + 1) * 2 * token + 2 * (SIZE + 2))
    expect(offsetOf(together.values[1]!, [5, 0, 0])).to.equal((5 * 3 + 1) * 2 * token + token)
    const apart = sglangLayout(asked, geometry(false))
    expect(offsetOf(apart.keys[1]!, [5, 0, 0])).to.equal(5 * token)
    expect(offsetOf(apart.values[1]!, [5, 0, 0])).to.equal(BUFFER + 5 * token)
    const mla = sglangLayout({shape: [50, 1, 32], pageSize: TOKENS, attentionType: 'MLA'}, geometry(true))
    expect(mla.values).to.deep.equal([])
    expect(offsetOf(mla.keys[2]!, [5, 0, 0])).to.equal((5 * 3 + 2) * 64)
  })

  it('refuses attention, layouts and shapes that it does not know, in the words of kvcached', () => {
    expect(() => checkAttention('FLASH', 'NHD')).to.throw(
      ConfigurationError,
      'Attention type FLASH is not supported.',
    )
    expect(() => checkAttention('MHA', 'HND')).to.throw(ConfigurationError, 'KV layout HND is not supported.')
    expect(() =>
      sglangLayout({shape: [1, 2, 3], pageSize: 1, attentionType: 'HYBRID_LINEAR'}, geometry(true)),
    ).to.throw(ConfigurationError, /^Hybrid models/)
    const wrong: [number[], string][] = [
      [[2, 7, TOKENS], 'Unsupported kv cache shape: (2, 7, 4)'],
      [[3, 7, TOKENS, HEADS, SIZE], 'Unsupported kv cache shape'],
      [[2, 7, TOKENS + 1, HEADS, SIZE], 'Unsupported kv cache shape'],
    ]
    for (const [shape, message] of wrong) {
      expect(() =>
        vllmLayout({shape, blockSize: TOKENS, attentionType: 'MHA', kernelBlockSize: TOKENS}, geometry(true)),
      ).to.throw(ConfigurationError, message)
    }
    expect(() =>
      vllmLayout(
        {shape: [7, 5, 32], blockSize: TOKENS, attentionType: 'MLA', kernelBlockSize: TOKENS},
        geometry(true),
      ),
    ).to.throw('block_size mismatch: kvcache_shape[1]=5 != block_size=4')
    expect(() =>
      vllmLayout(
        {shape: [2, 7, 64, 8, 8], blockSize: 64, attentionType: 'MHA', kernelBlockSize: 64},
        geometry(true),
      ),
    )
      .to.throw(ConfigurationError, 'a KV block of 8192 bytes does not fit into a page of 4096 bytes')
      .with.property('suggestions')
      .that.includes('use pages of 2 MiB (KVCACHED_PAGE_SIZE_MB=2)')
  })
})
