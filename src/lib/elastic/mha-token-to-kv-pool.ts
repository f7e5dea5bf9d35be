import type {Elements} from './dtype.js'
import type {ElasticKvCacheManager} from './elastic-kv-cache-manager.js'
import type {SglangInterfaces} from './interfaces.js'
import type {KvTensor} from './kv-tensor.js'
import {itemBytesOf, parseDtype} from './dtype.js'

/** What a pool of tokens holds, and where. */
export interface MhaTokenToKvPoolOptions {
  /** Tokens that may be cached at once. */
  readonly size: number
  /** Tokens of a page, kvcached's block. */
  readonly pageSize: number
  readonly dtype: string
  readonly headNum: number
  readonly headDim: number
  readonly layerNum: number
  readonly device: string
  readonly groupId?: number
}

/**
 * SGLang's pool of keys and values by token, elastic: token slots come in whole pages, and memory with them.
 *
 * @see ovg-project/kvcached:kvcached/integration/sglang/patches.py — the class that replaces SGLang's MHATokenToKVPool
 */
export class ElasticMHATokenToKVPool {
  readonly size: number
  readonly pageSize: number
  readonly kvCacheManager: ElasticKvCacheManager
  readonly #keys: readonly KvTensor[]
  readonly #values: readonly KvTensor[]

  private constructor(
    {size, pageSize}: MhaTokenToKvPoolOptions,
    manager: ElasticKvCacheManager,
    {kTensors, vTensors}: ReturnType<SglangInterfaces['allocKvCache']>,
  ) {
    this.size = size
    this.pageSize = pageSize
    this.kvCacheManager = manager
    this.#keys = kTensors
    this.#values = vTensors
  }

  /** @param sglang initialised on `options.device` @throws as its `allocKvCache` and `getKvCacheManager` */
  static async create(
    sglang: SglangInterfaces,
    options: MhaTokenToKvPoolOptions,
  ): Promise<ElasticMHATokenToKVPool> {
    const {size, pageSize, headNum, headDim, layerNum, dtype, device, groupId = 0} = options
    const shape = [size + pageSize, headNum, headDim]
    const tensors = sglang.allocKvCache(shape, dtype, device, layerNum, pageSize, 'MHA', 'NHD', groupId)
    const cellSize = headNum * headDim * itemBytesOf(parseDtype(dtype))
    // One more than asked for: the null block.
    const numBlocks = Math.ceil(size / pageSize) + 1
    const manager = await sglang.getKvCacheManager(numBlocks, pageSize, cellSize, layerNum, {groupId})
    return new ElasticMHATokenToKVPool(options, manager, tensors)
  }

  /** Keys of a layer, by token slot. @throws RangeError */
  getKeyBuffer(layer: number): KvTensor {
    return bufferOf(this.#keys, layer)
  }

  /** Values of a layer, by token slot. @throws RangeError */
  getValueBuffer(layer: number): KvTensor {
    return bufferOf(this.#values, layer)
  }

  /** Token slots that {@link alloc} could give now. */
  availableSize(): number {
    return this.kvCacheManager.availableSize() * this.pageSize
  }

  /** @param tokens a multiple of the page size @returns slots, page by page; null when there are not that many */
  alloc(tokens: number): number[] | null {
    if (tokens % this.pageSize !== 0) {
      throw new RangeError(`${tokens} token slots; they come in pages of ${this.pageSize}`)
    }
    const blocks = this.kvCacheManager.alloc(tokens / this.pageSize)
    return (
      blocks?.flatMap(block =>
        Array.from({length: this.pageSize}, (_, slot) => block * this.pageSize + slot),
      ) ?? null
    )
  }

  /** Gives the pages of these slots back, whole. */
  free(slots: readonly number[]): void {
    this.kvCacheManager.free([...new Set(slots.map(slot => Math.floor(slot / this.pageSize)))])
  }

  /** Writes the keys and values of some tokens in one layer. @param keys head by head, token after token @param values the same */
  setKvBuffer(layer: number, slots: readonly number[], keys: Elements, values: Elements): void {
    for (const [tensor, elements] of [
      [this.getKeyBuffer(layer), keys],
      [this.getValueBuffer(layer), values],
    ] as const) {
      const each = elements.length / slots.length
      slots.forEach((slot, index) =>
        tensor.at(slot).write(elements.subarray(index * each, (index + 1) * each)),
      )
    }
  }

  /** Ends the pool, not its tensors. */
  async close(): Promise<void> {
    await this.kvCacheManager.close()
  }
}

function bufferOf(tensors: readonly KvTensor[], layer: number): KvTensor {
  const tensor = tensors[layer]
  if (tensor) return tensor
  throw new RangeError(`layer ${layer} of ${tensors.length}`)
}
