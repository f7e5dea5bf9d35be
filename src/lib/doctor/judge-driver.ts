import {explainDriver, type CudaLook, type GpuLook, type NvmlProbe} from '../gpu/index.js'
import {fail, ok, skipped, warn, type Check} from './check.js'
import {askForGpu, judgeContainer, judgeNodes, judgePids, judgePodLimit} from './judge-access.js'
import {gpuTrace, type Surroundings} from './surroundings.js'

/** NVML calls should be below this; more means that the driver or a GPU is not well, or that the GPU sleeps between them. */
const SLOW_CALL_MS = 10
/** Without a program that holds the driver, each start loads it anew, GPU by GPU. */
const RESET = 'dmesg | grep -i -e xid -e nvrm; reset the GPU or reboot'
const SLOW_START = 'nvidia-smi -pm 1 where the driver is slow to start (kvctl doctor --timeout 30s tells)'
/** One starts the driver, the other waits for events. */
const EXCUSED = new Set(['nvmlInit_v2', 'nvmlEventSetWait_v2'])

/** Pure: what the driver and what surrounds it show, GPU by GPU. */
export function judgeDriver(seen: Surroundings, nvml: NvmlProbe, cuda: CudaLook): Check[] {
  return [
    judgeNvml(seen, nvml),
    ...judgeGpus(seen, nvml),
    judgeNodes(seen, nvml),
    judgeContainer(seen, nvml),
    judgePodLimit(seen, nvml),
    judgePids(seen, nvml),
    judgeLatency(nvml),
    judgeCuda(seen, nvml, cuda),
  ]
}

function judgeNvml(seen: Surroundings, {driver, count}: NvmlProbe): Check {
  const trouble = explainDriver(driver)
  if (trouble === null) {
    const versions = [`NVIDIA driver ${driver.driverVersion ?? 'of unknown version'}`]
    if (driver.cudaVersion !== null) versions.push(`CUDA up to ${driver.cudaVersion}`)
    return ok('driver', `${versions.join(', ')}, ${count} ${count === 1 ? 'GPU' : 'GPUs'}`)
  }
  const {namedLibrary} = seen
  const trace = gpuTrace(seen)
  const isAbsent = driver.state === 'no_library' || driver.state === 'not_loaded'
  const fix = trouble.suggestions.join('; ')
  if (isAbsent && trace === null && namedLibrary === null) {
    const where =
      seen.pciGpus === null ? 'no NVIDIA GPU is seen' : 'there is no NVIDIA GPU on this machine’s bus'
    const what =
      driver.state === 'no_library' ? 'no driver library' : 'no kernel driver for the library that is here'
    return skipped('driver', `${where}, and ${what}`, fix)
  }
  const said = isAbsent && trace !== null ? `${trouble.message}, yet ${trace}` : trouble.message
  return fail('driver', said, fix)
}

function judgeGpus(seen: Surroundings, {driver, gpus, count, stuckIn}: NvmlProbe): Check[] {
  if (driver.state !== 'ok') return [skipped('gpus', 'without a driver none can be listed')]
  if (count === 0) {
    if (seen.container === null)
      return [fail('gpus', 'the driver runs and finds no GPU', 'lspci -d 10de:; dmesg | grep -i nvrm')]
    return [fail('gpus', 'the driver runs and shows this container no GPU', askForGpu(seen))]
  }
  const read = new Map(gpus.map(gpu => [gpu.index, gpu]))
  return Array.from({length: count}, (_, index) => {
    const gpu = read.get(index)
    if (gpu) return judgeGpu(gpu)
    const detail = stuckIn === null ? 'was not read' : `the driver does not come back from ${stuckIn}`
    return fail(`gpu ${index}`, detail, RESET)
  })
}

function judgeGpu(gpu: GpuLook): Check {
  const name = `gpu ${gpu.index}`
  const {recoveryAction, throttleReasons} = gpu
  if (gpu.state === 'lost')
    return fail(
      name,
      'it fell off the bus',
      'reboot; then check power, cooling and seat (dmesg | grep -i xid)',
    )
  if (gpu.state === 'asleep') return ok(name, 'asleep, and left so')
  if (gpu.state !== 'ok') return fail(name, 'it cannot be read', 'nvidia-smi; dmesg | grep -i -e xid -e nvrm')
  if (gpu.hasRowRemapFailed === true)
    return fail(name, 'it has bad memory rows that could not be replaced', 'have the board replaced')
  if (gpu.computeMode === 'prohibited')
    return fail(
      name,
      'its compute mode is prohibited: no CUDA program runs on it',
      `nvidia-smi -i ${gpu.index} -c DEFAULT`,
    )
  if (gpu.isRowRemapPending === true || gpu.isPageRetirementPending === true)
    return warn(
      name,
      'bad memory waits to be replaced',
      `drain it, then nvidia-smi -i ${gpu.index} --gpu-reset`,
    )
  if (recoveryAction !== null && recoveryAction !== 'none')
    return warn(
      name,
      `the driver asks for: ${recoveryAction}`,
      `drain it, then ${recoveryAction.replaceAll('_', ' ')}`,
    )
  if ((gpu.eccUncorrected ?? 0) > 0)
    return warn(
      name,
      `${gpu.eccUncorrected} uncorrected memory errors since the driver was loaded`,
      `drain it, then nvidia-smi -i ${gpu.index} --gpu-reset`,
    )
  const slowed = throttleReasons?.filter(reason => /hardware|thermal|brake/.test(reason)) ?? []
  if (slowed.length > 0)
    return warn(
      name,
      `slowed down: ${slowed.join(', ')}`,
      'check cooling and power (kvctl gpus --json shows temperature and limits)',
    )
  const facts = [gpu.name ?? 'a GPU', ...(gpu.isMigEnabled === true ? ['in MIG mode'] : [])]
  return ok(name, facts.join(', '))
}

function judgeLatency({driver, calls, stuckIn}: NvmlProbe): Check {
  const name = 'nvml-latency'
  const advice =
    'check the driver’s health (nvidia-smi -q; dmesg | grep -i -e xid -e nvrm), keep it loaded (nvidia-smi -pm 1), ask less often'
  if (stuckIn !== null)
    return fail(
      name,
      `${stuckIn} does not come back`,
      stuckIn === 'nvmlInit_v2' ? `${SLOW_START}; ${advice}` : advice,
    )
  if (driver.state !== 'ok' || calls.length === 0) return skipped(name, 'no driver answers')
  const timed = calls.filter(({call}) => !EXCUSED.has(call))
  const slow = timed.filter(({medianMs}) => medianMs > SLOW_CALL_MS)
  const show = ({call, medianMs}: {call: string; medianMs: number}): string =>
    `${call} ${medianMs.toFixed(2)} ms`
  if (slow.length > 0)
    return warn(name, `above ${SLOW_CALL_MS} ms: ${slow.slice(0, 5).map(show).join(', ')}`, advice)
  const slowest = timed[0]
  return ok(
    name,
    slowest === undefined ? 'no call was timed' : `${timed.length} calls, the slowest ${show(slowest)}`,
  )
}

const CUDA_FIXES: Readonly<Record<number, string>> = {
  34: 'remove the stub from the library path (LD_LIBRARY_PATH), it is for linking only',
  46: 'another program has the GPU for itself: nvidia-smi -c DEFAULT',
  100: 'check CUDA_VISIBLE_DEVICES, /dev/nvidia-uvm and the container’s devices',
  802: 'sudo systemctl start nvidia-fabricmanager',
  803: 'reload the kernel module or reboot: the driver was upgraded while it ran',
  804: 'remove the CUDA compatibility package, or update the driver',
}

function judgeCuda(seen: Surroundings, nvml: NvmlProbe, cuda: CudaLook): Check {
  const name = 'cuda-library'
  const {state, problem, version, devices, status} = cuda
  const hasGpu = nvml.driver.state === 'ok' && nvml.count > 0
  if (state === 'hung' || state === 'crashed') {
    const what = state === 'hung' ? 'does not come back from' : 'crashed in'
    return fail(name, `libcuda ${what} ${problem}`, `${SLOW_START}; ${RESET}`)
  }
  if (state === 'no_library') {
    if (!hasGpu && gpuTrace(seen) === null && seen.namedLibrary === null)
      return skipped(name, 'no libcuda, and no GPU that would need it')
    const fix =
      seen.container === null
        ? 'install the NVIDIA driver’s CUDA library (libcuda1, nvidia-driver-cuda)'
        : 'NVIDIA_DRIVER_CAPABILITIES=compute,utility'
    return fail(name, `${problem}`, `${fix}; KVCTL_CUDA_PATH names it when it lies elsewhere`)
  }
  if (state === 'failed') {
    if (status === 100 && !hasGpu) return skipped(name, `${problem}`)
    const hidden = status === 100 && seen.cudaVisibleDevices !== null
    const fix = hidden
      ? `CUDA_VISIBLE_DEVICES is '${seen.cudaVisibleDevices}': unset it`
      : CUDA_FIXES[status ?? 0]
    return fail(name, `${problem}`, fix ?? 'nvidia-smi; dmesg | grep -i -e xid -e nvrm')
  }
  const flat = devices.filter(({hasVirtualMemory}) => !hasVirtualMemory)
  const shown = `CUDA ${version ?? '?'}, ${devices.length} ${devices.length === 1 ? 'device' : 'devices'}`
  if (flat.length > 0)
    return warn(
      name,
      `${shown}; ${flat.map(({name}) => name).join(', ')} cannot map memory page by page, as kvcached does`,
      'use another GPU for kvcached, or a newer driver',
    )
  return ok(name, `${shown} with virtual memory; no context was made`)
}
