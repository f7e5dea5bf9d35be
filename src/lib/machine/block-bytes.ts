import {isAbsolute} from 'node:path'
import type {ModelShape} from '../engine/index.js'
import type {EngineLook} from './engine-look.js'

/** What one KV block weighs on all ranks of an engine, and how that is known. */
export interface BlockBytes {
  readonly bytes: number
  /** The engine's own word, the model's `config.json` on this machine, or kvctl's table of models. */
  readonly source: 'engine' | 'model_config' | 'model_table'
}

/** Bytes of one element, by what vLLM calls the type; `auto` is the model's, 16 bits for all in use. */
const ELEMENT_BYTES: Readonly<Record<string, number>> = {
  auto: 2,
  bfloat16: 2,
  float16: 2,
  half: 2,
  fp8: 1,
  fp8_e4m3: 1,
  fp8_e5m2: 1,
  fp8_inc: 1,
  float32: 4,
}

/**
 * Layers × heads × width × element size × tokens of a block, keys and values.
 *
 * @param ranks over how many GPUs the model is spread
 * @returns null where the model's shape is not known here, and for models whose groups of layers have blocks of different
 * sizes (vllm-project/vllm#42966)
 */
export async function blockBytesOf(engine: EngineLook, ranks: number): Promise<BlockBytes | null> {
  const [pool] = engine.pools
  if (pool === undefined) return null
  if (pool.blockBytes !== null) return {bytes: pool.blockBytes, source: 'engine'}
  const elementBytes = ELEMENT_BYTES[pool.cacheDtype ?? 'auto']
  if (pool.blockTokens === null || elementBytes === undefined) return null
  // The engine's room is large, and most machines need none of it.
  const {findModel, kvBytesPerToken, readModelConfig} = await import('../engine/index.js')
  const local = await localShape(engine.modelRoot, readModelConfig)
  const shape = local ?? listedShape(engine.modelRoot, findModel) ?? listedShape(engine.model, findModel)
  if (shape === null || shape.window !== undefined) return null
  const bytes = pool.blockTokens * ranks * kvBytesPerToken(shape, elementBytes, ranks)
  return {bytes, source: local === null ? 'model_table' : 'model_config'}
}

async function localShape(
  root: string | null,
  readModelConfig: (path: string) => Promise<ModelShape | null>,
): Promise<ModelShape | null> {
  if (root === null || !isAbsolute(root)) return null
  try {
    return await readModelConfig(root)
  } catch {
    // A model that this machine cannot read or kvctl does not understand.
    return null
  }
}

function listedShape(name: string | null, findModel: (name: string) => ModelShape): ModelShape | null {
  try {
    return name === null ? null : findModel(name)
  } catch {
    return null
  }
}
