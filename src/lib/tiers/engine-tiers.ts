import type {EmbeddedWorker} from './embedded-worker.js'
import type {PagedKv} from './paged-kv.js'

/** Stored chunks of a prompt, held in the CPU tier's memory. */
interface LoadedChunks {
  readonly start: number
  readonly end: number
  copyTo(slots: readonly number[]): void
  release(): void
}

interface EngineTiers {
  load(tokens: readonly number[], fromTokens: number): Promise<LoadedChunks | null>
  store(tokens: readonly number[], promptTokens: number, slots: readonly number[]): void
}

/**
 * A worker's tiers as an engine uses them: whole chunks only, and what was generated only with `save_decode_cache`.
 *
 * @param kv the engine's pages, writable
 */
export function engineTiers(worker: EmbeddedWorker, kv: PagedKv): EngineTiers {
  return {
    async load(tokens, fromTokens) {
      const found = await worker.loadChunks(tokens, fromTokens)
      if (found === null) return null
      const {start, end, objects} = found
      return {
        start,
        end,
        copyTo(slots) {
          objects.forEach((object, index) => {
            const from = index * worker.chunkTokens
            kv.scatter(slots.slice(from, from + worker.chunkTokens), object.bytes)
          })
        },
        release() {
          for (const object of objects) object.release()
        },
      }
    },
    store(tokens, promptTokens, slots) {
      const kept = worker.settings.isOn('save_decode_cache')
        ? tokens.length
        : Math.min(promptTokens, tokens.length)
      const whole = kept - (kept % worker.chunkTokens)
      if (whole > 0) worker.storeTokens(tokens.slice(0, whole), slots.slice(0, whole), 'engine')
    },
  }
}

/** Pages that may be read and not written: an engine's own, for the routes that would write into them. */
export function readOnlyKv(kv: PagedKv): PagedKv {
  return {
    ...{shape: kv.shape, slots: kv.slots, layers: kv.layers, isReadOnly: true},
    gather: (slots, into) => kv.gather(slots, into),
    gatherLayer: (layer, slots) => kv.gatherLayer(layer, slots),
    scatter() {
      throw new Error('these pages belong to a running engine, whose answers are read out of them')
    },
  }
}
