import {explainDriver} from '../gpu/index.js'
import {blockCounts} from './engine-memory.js'
import type {MachineEngine, MachineLook} from './machine-look.js'
import type {SelectedGpu} from './select-gpus.js'
import type {VramWarning} from './vram-json.js'

/** Pure: why counts of blocks are not known, by field; empty where they are. */
export function withoutBlocks(engines: readonly MachineEngine[]): Record<string, string> {
  const answering = engines.filter(({state}) => state === 'ok')
  const isUnknown = answering.some(({pools}) => blockCounts(pools).total === null)
  const reason = answering.length === 0 ? 'no_engine' : isUnknown ? 'not_told_by_engine' : null
  if (reason === null) return {}
  return {allocated_blocks: reason, utilized_blocks: reason, free_blocks: reason}
}

/** Pure: what a reader of the figures must know of the driver, the GPUs and the engines. */
export function warningsOf(
  {gpus}: MachineLook,
  selected: readonly SelectedGpu[],
  engines: readonly MachineEngine[],
): VramWarning[] {
  const trouble = explainDriver(gpus.driver)
  const warnings: VramWarning[] = []
  if (trouble) warnings.push({code: trouble.code, message: trouble.message})
  else if (gpus.gpus.length === 0)
    warnings.push({code: 'GPU_NOT_FOUND', message: 'the NVIDIA driver runs, but has no GPU'})
  for (const {gpu} of selected) {
    if (gpu.state !== 'ok')
      warnings.push({code: 'GPU_UNREADABLE', message: `GPU ${gpu.index} is ${gpu.state}`})
  }
  for (const {url, state, pools} of engines) {
    if (state !== 'ok')
      warnings.push({
        code: 'ENGINE_UNREACHABLE',
        message: state === 'silent' ? `${url} shows no metrics of an engine` : `${url} does not answer`,
      })
    else if (blockCounts(pools).total === null)
      warnings.push({code: 'BLOCKS_UNKNOWN', message: `${url} does not tell how many KV blocks it has`})
  }
  return warnings
}
