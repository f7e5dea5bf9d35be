import type {KvDevice} from '../lib/elastic/index.js'
import type {Engine} from '../lib/engine/index.js'
import type {Logger} from '../lib/foundation/index.js'
import type {Device, PageReserve} from '../lib/memory/index.js'
import type {Tokenizer} from '../lib/tokens/index.js'
import type {EngineSettings} from '../server/engine-settings.js'
import {segmentStore} from './segments.js'

/** The embedded engine on real memory and the real clock, with the tokenizer it was built for. */
export async function embeddedEngine(
  settings: EngineSettings,
  {segment, device}: {readonly segment: string | null; readonly device: Device},
  logger: Logger,
): Promise<{engine: Engine; tokenizer: Tokenizer}> {
  const {systemClock} = await import('../lib/foundation/index.js')
  const {createEngine, defaultEngineOptions} = await import('../lib/engine/index.js')
  const {createBuiltinTokenizer} = await import('../lib/tokens/index.js')
  const tokenizer = createBuiltinTokenizer()
  const engine = await createEngine({
    ...defaultEngineOptions(tokenizer.vocabulary, systemClock, logger),
    ...settings.engine,
    // A request writes and reads about 8 KiB a step.
    reserve: await pageReserve(device, 4 * 2 ** 20),
    segment: segment === null ? null : {store: await segmentStore(logger), name: segment},
  })
  return {engine, tokenizer}
}

/** A device for KV memory of the library. @throws ResourceError `CUDA_UNAVAILABLE` */
export async function openKvDevice(device: Device): Promise<KvDevice> {
  const {totalmem} = await import('node:os')
  const {cudaMemoryBytes, openCudaDriver} = await import('../lib/memory/index.js')
  const reserve = await pageReserve(device, 2 ** 20)
  if (device.kind === 'cpu') return {name: 'cpu', memoryBytes: totalmem(), reserve}
  const driver = openCudaDriver(process.env['KVCTL_CUDA_PATH'] || null)
  return {name: `cuda:${device.ordinal}`, memoryBytes: cudaMemoryBytes(driver, device.ordinal), reserve}
}

/**
 * Addresses for pages on a device. `KVCTL_CUDA_PATH` names another CUDA driver than the system's.
 *
 * @param stagingBytes of each range, through which a GPU's bytes go
 */
async function pageReserve(device: Device, stagingBytes: number): Promise<PageReserve> {
  const {openCudaDriver, reserveCudaMemory, reserveHostMemory} = await import('../lib/memory/index.js')
  if (device.kind === 'cpu') return pages => reserveHostMemory({...pages, name: 'kvctl-kv-cache'})
  const driver = openCudaDriver(process.env['KVCTL_CUDA_PATH'] || null)
  return pages => reserveCudaMemory({...pages, device: device.ordinal, stagingBytes}, driver)
}
