import type {NvmlProbe} from '../gpu/index.js'
import {fail, ok, skipped, warn, type Check} from './check.js'
import {gpuTrace, isSet, type Surroundings} from './surroundings.js'

/** How a container comes to a GPU. */
export function askForGpu({container}: Surroundings): string {
  if (container === 'kubernetes')
    return 'give the container resources.limits nvidia.com/gpu: 1, and check that the device plugin runs (kubectl get pods -A | grep nvidia-device-plugin; kubectl describe node | grep nvidia.com/gpu)'
  return 'start the container with docker run --gpus all (NVIDIA container toolkit: sudo nvidia-ctk runtime configure --runtime=docker)'
}

/** Pure: whether this user may open the driver's devices. */
export function judgeNodes(seen: Surroundings, {driver}: NvmlProbe): Check {
  const {nodes} = seen
  const locked = nodes.filter(node => !node.isUsable)
  if (locked.length > 0) {
    const list = locked.map(({name, mode, groupId}) => `/dev/${name} (${mode}, group ${groupId})`).join(', ')
    return fail(
      'device-nodes',
      `this user may not open ${list}`,
      'sudo usermod -aG video $USER and log in again, or run as a user of that group',
    )
  }
  const names = nodes.map(({name}) => name)
  const gpus = names.filter(name => /\d$/.test(name))
  if (nodes.length === 0) {
    if (driver.state === 'ok') return ok('device-nodes', 'none, and the driver answers without them')
    if (gpuTrace(seen) === null) return skipped('device-nodes', 'no /dev/nvidia*, and no GPU is expected')
    return fail(
      'device-nodes',
      'there is no /dev/nvidia*',
      seen.container === null ? 'sudo nvidia-modprobe -u -c=0, or sudo modprobe nvidia' : askForGpu(seen),
    )
  }
  if (!names.includes('nvidiactl') || gpus.length === 0)
    return fail(
      'device-nodes',
      `only ${names.map(name => `/dev/${name}`).join(', ')}`,
      seen.container === null ? 'sudo nvidia-modprobe -c=0' : askForGpu(seen),
    )
  if (!names.includes('nvidia-uvm'))
    return warn(
      'device-nodes',
      `${gpus.length} GPU nodes, but no /dev/nvidia-uvm, which CUDA programs need`,
      'sudo nvidia-modprobe -u -c=0',
    )
  return ok('device-nodes', `/dev/nvidiactl, /dev/nvidia-uvm, ${gpus.map(name => `/dev/${name}`).join(', ')}`)
}

/** Pure: whether NVIDIA's container runtime brought a driver in. */
export function judgeContainer(seen: Surroundings, {driver}: NvmlProbe): Check {
  const name = 'container-runtime'
  const {visibleDevices, capabilities} = seen
  if (seen.container === null) return skipped(name, 'not in a container')
  const granted = (capabilities ?? '').split(',').map(word => word.trim())
  const has = (capability: string): boolean => granted.includes(capability) || granted.includes('all')
  const shown = `NVIDIA_VISIBLE_DEVICES=${visibleDevices ?? ''} NVIDIA_DRIVER_CAPABILITIES=${capabilities ?? ''}`
  if (driver.state === 'ok') {
    // Absent, the runtime brings in utility and compute.
    if (capabilities !== null && capabilities !== '' && !has('compute'))
      return warn(
        name,
        `${shown}: CUDA programs find no driver here`,
        'NVIDIA_DRIVER_CAPABILITIES=compute,utility',
      )
    return ok(name, shown)
  }
  if (gpuTrace(seen) === null) return skipped(name, 'in a container without a GPU, on a machine without one')
  if (capabilities !== null && capabilities !== '' && !has('utility'))
    return fail(
      name,
      `${shown}: NVML is not brought into this container`,
      'NVIDIA_DRIVER_CAPABILITIES=compute,utility',
    )
  if (!isSet(visibleDevices) && seen.nodes.length === 0)
    return fail(name, `${shown}: the NVIDIA container runtime gave this container nothing`, askForGpu(seen))
  return warn(
    name,
    `${shown}, yet the driver cannot be used`,
    'restart the container: systemctl daemon-reload on the host takes its devices away',
  )
}

/** Pure: whether the pod asks for a GPU, as far as that shows inside it. */
export function judgePodLimit(seen: Surroundings, {driver, count}: NvmlProbe): Check {
  const name = 'pod-gpu-limit'
  if (seen.container !== 'kubernetes') return skipped(name, 'not in a Kubernetes pod')
  if (driver.state === 'ok' && count > 0)
    return ok(name, `the pod has ${count} ${count === 1 ? 'GPU' : 'GPUs'}`)
  if (seen.visibleDevices !== null && !isSet(seen.visibleDevices))
    return fail(
      name,
      `NVIDIA_VISIBLE_DEVICES is ${seen.visibleDevices || 'empty'}: the pod asks for no nvidia.com/gpu`,
      askForGpu(seen),
    )
  if (isSet(seen.visibleDevices)) return ok(name, `the device plugin gave it ${seen.visibleDevices}`)
  if (seen.nodes.length > 0) return ok(name, `it was given /dev/${seen.nodes[0]!.name}`)
  // A pod for the CPU is no fault; its own limits are not told to a container.
  return warn(name, 'nothing in this container says that the pod asks for nvidia.com/gpu', askForGpu(seen))
}

/** Pure: whether the driver's process numbers mean anything here. */
export function judgePids(seen: Surroundings, {driver, count}: NvmlProbe): Check {
  const name = 'pid-namespace'
  if (seen.seesHostPids) return ok(name, 'process numbers are the host’s')
  if (driver.state !== 'ok' || count === 0)
    return skipped(name, 'process numbers are this container’s own, which matters with a GPU')
  return warn(
    name,
    'process numbers are this container’s own: the driver’s cannot be matched with names',
    seen.container === 'kubernetes' ? 'hostPID: true in the pod’s spec' : 'docker run --pid=host',
  )
}
