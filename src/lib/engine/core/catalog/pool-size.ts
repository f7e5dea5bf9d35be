import type {GpuSpec} from './gpus.js'
import {kvBytesPerToken, parameterCount, type ModelShape} from './model-shape.js'

export interface PoolSizeOptions {
  readonly blockSize: number
  /** Share of the GPU's memory that the engine may use. */
  readonly gpuMemoryUtilization: number
  readonly tensorParallel: number
  readonly weightBytes: number
  readonly kvBytes: number
}

const GIB = 2 ** 30

/**
 * KV blocks that fit on each GPU beside weights, activations and the driver's own memory.
 *
 * floor((memory · utilization − weights − activations − other) / (block size · KV bytes per token)); 0 when nothing is left
 *
 * @see vllm-project/vllm:vllm/v1/worker/gpu_worker.py — the same sum, there with the last two measured;
 * inference-sim/inference-sim for their planning values
 */
export function modelledBlocks(model: ModelShape, gpu: GpuSpec, options: PoolSizeOptions): number {
  const {tensorParallel, weightBytes, kvBytes, blockSize} = options
  const memory = gpu.memoryMiB * 2 ** 20 * options.gpuMemoryUtilization
  const weights = modelledWeightBytes(model, weightBytes) / tensorParallel
  const activations = (model.experts ? 8 : 5.5) * GIB
  const other = (tensorParallel === 1 ? 0.15 : 0.6) * GIB
  const left = memory - weights - activations - other
  return Math.max(0, Math.floor(left / (blockSize * kvBytesPerToken(model, kvBytes, tensorParallel))))
}

/** Bytes of all weights. */
export function modelledWeightBytes(model: ModelShape, weightBytes: number): number {
  return model.weightsGiB === undefined ? parameterCount(model) * weightBytes : model.weightsGiB * GIB
}
