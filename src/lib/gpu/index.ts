export type {
  DriverLook,
  GpuLook,
  GpuProcess,
  GpusLook,
  MigLook,
  UnavailableReason,
  XidEvent,
} from './gpu-look.js'
export type {CallTime} from './call-times.js'
export type {CudaDevice, CudaLook} from './cuda-look.js'
export {driverProbePath, serveDriverProbe, type ProbeOrder, type ProbeReport} from './driver-probe.js'
export {explainDriver} from './driver-state.js'
export {findGpu} from './find-gpu.js'
export {createGpuSampler, type GpuSampler, type GpuSamplerOptions} from './gpu-sampler.js'
export {gpuProcessPath, serveGpuOrders, type GpuOrder} from './gpu-process.js'
export {GpuSession, type GpuReport, type GpuSessionOptions} from './gpu-session.js'
export {gpusJson, type GpusJson} from './json.js'
export {probeCuda, probeNvml, type DriverProbeOptions, type NvmlProbe} from './probe-driver.js'
