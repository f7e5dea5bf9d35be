import type {SeenGpus} from '../lib/cost/index.js'
import {whileWaiting} from './waiting-line.js'

/** This machine's GPUs, or why none can be told. */
export type GpusHere = SeenGpus | {readonly why: string}

/**
 * Asks the NVIDIA driver which GPUs, or MIG slices, this machine has, and which of them the servers at these addresses use.
 *
 * @param baseUrls none means whoever may use them
 */
export async function gpusHere(baseUrls: readonly string[], signal: AbortSignal): Promise<GpusHere> {
  const {findServerParts, gpuSamples} = await import('../lib/bench/index.js')
  const {explainDriver} = await import('../lib/gpu/index.js')
  const {ServedGpus} = await import('../lib/runs/index.js')
  const {DRIVER_PATIENCE_MS, gpuSampler} = await import('../wiring/index.js')
  const parts = await findServerParts(baseUrls, null, null)
  if (baseUrls.length > 0 && !parts.isLocal) return {why: `${baseUrls.join(', ')} is not on this machine`}
  const sampler = await gpuSampler()
  try {
    const {driver, gpus} = await whileWaiting('Asking the driver', DRIVER_PATIENCE_MS, sampler.look(signal))
    const served = new ServedGpus()
    served.add(gpuSamples(gpus, parts.pids))
    const {result} = served
    if (result !== null) return {...result, notes: []}
    return {why: explainDriver(driver)?.message ?? 'the NVIDIA driver of this machine has no GPU'}
  } finally {
    sampler.close()
  }
}
