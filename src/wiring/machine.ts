import type {DoctorParts} from '../lib/doctor/index.js'
import type {Logger} from '../lib/foundation/index.js'
import type {GpuSampler, GpuSamplerOptions, ProbeOrder, ProbeReport} from '../lib/gpu/index.js'
import type {Machine} from '../lib/machine/index.js'
import type {SegmentStore} from '../lib/segments/index.js'
import {segmentStore} from './segments.js'

/** How long a driver is waited for. */
export const DRIVER_PATIENCE_MS = 5000

/** GPUs as the NVIDIA driver shows them, from a process of its own; `close` ends that. @param figures to ask for */
export async function gpuSampler(figures: GpuSamplerOptions['figures'] = 'all'): Promise<GpuSampler> {
  const {systemClock} = await import('../lib/foundation/index.js')
  const {createGpuSampler, gpuProcessPath} = await import('../lib/gpu/index.js')
  const {startWorker} = await import('../lib/processes/index.js')
  return createGpuSampler({
    startProcess: () => startWorker(gpuProcessPath, 'json'),
    clock: systemClock,
    libraryPath: process.env['KVCTL_NVML_PATH'] || null,
    pciFolder: '/sys/bus/pci/devices',
    patienceMs: DRIVER_PATIENCE_MS,
    healthMs: 5000,
    retryMs: 30_000,
    figures,
  })
}

/**
 * What `kvctl doctor` looks with; the caller closes `http`. Drivers are asked in processes that end with it.
 *
 * @param timeoutMs for all of it, start and end included
 */
export async function doctorParts(logger: Logger, timeoutMs: number): Promise<DoctorParts> {
  const {driverProbePath, probeCuda, probeNvml} = await import('../lib/gpu/index.js')
  const {createHttpClient} = await import('../lib/http/index.js')
  const {startWorker} = await import('../lib/processes/index.js')
  const {SEGMENT_DIRECTORY} = await import('../lib/segments/index.js')
  const probe = {
    startProcess: () => startWorker<ProbeOrder, ProbeReport>(driverProbePath),
    patienceMs: timeoutMs - 1500,
  }
  return {
    root: '/',
    environment: process.env,
    probeNvml: signal => probeNvml({...probe, signal, libraryPath: process.env['KVCTL_NVML_PATH'] || null}),
    probeCuda: signal => probeCuda({...probe, signal, libraryPath: process.env['KVCTL_CUDA_PATH'] || null}),
    loadNative: async () => {
      const {libc} = await import('../native/libc.js')
      libc.close(libc.open('/dev/null', 0))
    },
    segments: () => segmentStore(logger),
    segmentFolder: process.env['KVCTL_SHM_DIR'] || SEGMENT_DIRECTORY,
    http: createHttpClient({timeoutMs: 2000}),
    limitMs: timeoutMs - 500,
  }
}

/** Who a process on a GPU is seldom changes, and asking costs as much as all GPUs. */
const IDENTITY_AGE_MS = 5000

/**
 * GPUs, segments and engines of this host as one; `close` gives back what it holds.
 *
 * @param engineUrls where engines are; none looks for them
 * @param figures of GPUs to ask for
 */
export async function machine(
  engineUrls: readonly string[],
  logger: Logger,
  figures: GpuSamplerOptions['figures'] = 'all',
): Promise<Machine & {readonly sampler: GpuSampler; readonly segments: SegmentStore}> {
  const {systemClock} = await import('../lib/foundation/index.js')
  const {createHttpClient} = await import('../lib/http/index.js')
  const {createEngineWatch, createMachine} = await import('../lib/machine/index.js')
  const {createIdentityWatch} = await import('../lib/processes/index.js')
  const http = createHttpClient()
  const [sampler, segments] = await Promise.all([gpuSampler(figures), segmentStore(logger)])
  const engines = createEngineWatch({configured: engineUrls, http, clock: systemClock, procFolder: '/proc'})
  const identities = createIdentityWatch(systemClock, '/proc', IDENTITY_AGE_MS)
  const machine = createMachine({sampler, segments, engines, identities, logger})
  return {
    ...machine,
    ...{sampler, segments},
    close() {
      machine.close()
      void http.close()
    },
  }
}
