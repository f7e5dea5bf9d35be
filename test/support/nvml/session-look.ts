import {GpuSession, type GpusLook} from '../../../src/lib/gpu/index.js'
import {loadNvml} from '../../../src/native/nvml.js'

/** Looks at a driver in this process, as the sampler's process does. @param folder an empty one, for a bus without devices */
export function sessionLook(library: string, folder: string): () => GpusLook {
  const session = new GpuSession(() => loadNvml(library), {
    ...{libraryPath: library, healthMs: 0, retryMs: 0, pciFolder: folder},
  })
  return () => {
    const reports = [...session.look(new Set())]
    return {
      takenAtMs: Date.now(),
      tookMs: 0,
      driver: reports.flatMap(one => (one.kind === 'driver' ? [one.driver] : []))[0]!,
      gpus: reports.flatMap(one => (one.kind === 'gpu' ? [one.gpu] : [])),
    }
  }
}
