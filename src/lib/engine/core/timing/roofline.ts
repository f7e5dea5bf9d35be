import type {GpuSpec} from '../catalog/gpus.js'
import {attentionParameters, feedForward, kvBytesPerLayer, type ModelShape} from '../catalog/model-shape.js'
import type {StepShape, TimingModel} from './step-shape.js'

export interface RooflineTiming {
  readonly model: ModelShape
  readonly gpu: GpuSpec
  /** GPUs that share every layer. */
  readonly tensorParallel: number
  /** Bytes per weight: 2 for bf16; 1 for fp8, which also uses the fp8 rate where the GPU has one. */
  readonly weightBytes: number
  /** Bytes per KV element. */
  readonly kvBytes: number
}

/** The parts of a step, in seconds. */
export interface RooflineParts {
  readonly cpu: number
  readonly linear: number
  readonly attention: number
  readonly communication: number
}

const WEIGHT_BANDWIDTH_SHARE = 0.73
const KV_BANDWIDTH_SHARE = 0.55
const STEP_OVERHEAD = 126e-6
const LAYER_OVERHEAD = 32.1e-6
const SEQUENCE_OVERHEAD = 4.42e-6
const LINK_BANDWIDTH_SHARE = 0.7 / 2

/**
 * A step bounded by arithmetic or by memory traffic, whichever takes longer, plus attention and the host's overhead, for
 * the whole batch at once: that is what makes requests slow each other down.
 *
 * @see inference-sim/inference-sim — roofline form and fitted overheads; efficiencies chosen to meet public measurements
 */
export function rooflineTiming(options: RooflineTiming): TimingModel {
  const parts = rooflineParts(options)
  return shape => {
    const {cpu, linear, attention, communication} = parts(shape)
    return cpu + linear + attention + communication
  }
}

/** As {@link rooflineTiming}, by part. */
export function rooflineParts(options: RooflineTiming): (shape: StepShape) => RooflineParts {
  const {model, gpu, tensorParallel, weightBytes} = options
  const tflops = weightBytes <= 1 && gpu.fp8Tflops !== null ? gpu.fp8Tflops : gpu.bf16Tflops
  const flops = tensorParallel * tflops * 1e12 * gpu.modelFlopsShare
  const bytesPerSecond = tensorParallel * gpu.bandwidthGBs * 1e9
  const attentionTotal = model.layers * attentionParameters(model)
  const headParameters = model.hidden * model.vocabulary
  const ffn = feedForward(model)
  const attend = attentionWork(options)

  return shape => {
    const tokens =
      shape.decodeContexts.length + shape.prefills.reduce((sum, chunk) => sum + chunk.newTokens, 0)
    const sequences = shape.decodeContexts.length + shape.prefills.length
    const linearFlops = 2 * (attentionTotal + ffn.activeParameters) * tokens + 2 * headParameters * sequences
    const readBytes = weightBytes * (attentionTotal + ffn.readParameters(tokens) + headParameters)
    const {flops: attentionFlops, kvBytes} = attend(shape)
    return {
      cpu: STEP_OVERHEAD + LAYER_OVERHEAD * model.layers + SEQUENCE_OVERHEAD * sequences,
      linear: Math.max(linearFlops / flops, readBytes / (bytesPerSecond * WEIGHT_BANDWIDTH_SHARE)),
      attention: attentionFlops / flops + kvBytes / (kvBandwidth(options) * KV_BANDWIDTH_SHARE),
      communication: communicationSeconds(options, tokens),
    }
  }
}

/** A latent cache is copied to every GPU, so that sharing it does not make it faster. */
function kvBandwidth({model, gpu, tensorParallel}: RooflineTiming): number {
  return gpu.bandwidthGBs * 1e9 * (model.latent ? 1 : tensorParallel)
}

function attentionWork({
  model,
  kvBytes,
}: RooflineTiming): (shape: StepShape) => {flops: number; kvBytes: number} {
  const windowLayers = model.window?.layers ?? 0
  const kinds = [
    {layers: model.layers - windowLayers, reach: Infinity},
    {layers: windowLayers, reach: model.window?.tokens ?? 0},
  ].filter(kind => kind.layers > 0)
  const bytesPerToken = kvBytesPerLayer(model, kvBytes)
  const flopsPerPair = 4 * model.heads * model.headDim
  return ({prefills, decodeContexts}) => {
    let [pairs, rows] = [0, 0]
    for (const {layers, reach} of kinds) {
      for (const {newTokens, computedTokens} of prefills) {
        pairs += layers * newTokens * Math.min(computedTokens + (newTokens + 1) / 2, reach)
        rows += layers * (Math.min(computedTokens, reach) + newTokens)
      }
      for (const context of decodeContexts) rows += layers * (Math.min(context, reach) + 1)
    }
    return {flops: flopsPerPair * pairs, kvBytes: bytesPerToken * rows}
  }
}

function communicationSeconds({model, gpu, tensorParallel}: RooflineTiming, tokens: number): number {
  if (tensorParallel === 1) return 0
  const bytes = ((2 * (tensorParallel - 1)) / tensorParallel) * tokens * model.hidden * 2
  const latency = gpu.link.kind === 'nvlink' ? 8e-6 : 25e-6
  return 2 * model.layers * (latency + bytes / (gpu.link.bidirectionalGBs * 1e9 * LINK_BANDWIDTH_SHARE))
}
