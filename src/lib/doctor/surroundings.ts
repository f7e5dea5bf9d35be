import {access, constants, readdir, readFile, stat} from 'node:fs/promises'
import {join} from 'node:path'
import {seesHostPids} from '../processes/index.js'

/** Below `/dev/nvidia…`. */
export interface DeviceNode {
  readonly name: string
  /** Whether this user may open it as the driver does. */
  readonly isUsable: boolean
  /** Such as `0660`. */
  readonly mode: string
  readonly groupId: number
}

/** What can be seen of a machine's GPUs without asking a driver. */
export interface Surroundings {
  /** Bus addresses of NVIDIA's display and compute devices; null where the bus cannot be seen. */
  readonly pciGpus: readonly string[] | null
  readonly nodes: readonly DeviceNode[]
  /** The version of the loaded kernel module; null when none is loaded, or hidden from this container. */
  readonly kernelDriver: string | null
  readonly container: 'kubernetes' | 'other' | null
  /** `NVIDIA_VISIBLE_DEVICES` and `NVIDIA_DRIVER_CAPABILITIES`, by which NVIDIA's container runtime is told what to bring in. */
  readonly visibleDevices: string | null
  readonly capabilities: string | null
  /** A driver library that the user named: `KVCTL_NVML_PATH` or `KVCTL_CUDA_PATH`. */
  readonly namedLibrary: string | null
  /** `CUDA_VISIBLE_DEVICES` */
  readonly cudaVisibleDevices: string | null
  readonly seesHostPids: boolean
  /** Whether profiling is for administrators alone; null when the module does not say. */
  readonly isProfilingRestricted: boolean | null
}

export interface Places {
  /** `/`, or a folder that stands for it. */
  readonly root: string
  readonly environment: NodeJS.ProcessEnv
}

const NVIDIA = '0x10de'
/** VGA, 3D and other display controllers. */
const DISPLAY_CLASS = '0x03'
const NODE = /^nvidia(ctl|-uvm|-uvm-tools|-modeset|\d+)$/

export async function readSurroundings({root, environment}: Places): Promise<Surroundings> {
  const read = async (...path: string[]): Promise<string | null> =>
    readFile(join(root, ...path), 'utf8').catch(() => null)
  const [pciGpus, nodes, version, params, isOwnPids, container] = await Promise.all([
    readPciGpus(join(root, 'sys/bus/pci/devices')),
    readNodes(join(root, 'dev')),
    read('proc/driver/nvidia/version'),
    read('proc/driver/nvidia/params'),
    seesHostPids(join(root, 'proc')),
    readContainer(root, environment),
  ])
  const restricted = /^RmProfilingAdminOnly:\s*(\d+)/m.exec(params ?? '')?.[1]
  return {
    pciGpus,
    nodes,
    kernelDriver: /Kernel Module.*?\s(\d+\.\d[\d.]*)/.exec(version ?? '')?.[1] ?? null,
    container,
    visibleDevices: environment['NVIDIA_VISIBLE_DEVICES'] ?? null,
    capabilities: environment['NVIDIA_DRIVER_CAPABILITIES'] ?? null,
    namedLibrary: environment['KVCTL_NVML_PATH'] || environment['KVCTL_CUDA_PATH'] || null,
    cudaVisibleDevices: environment['CUDA_VISIBLE_DEVICES'] ?? null,
    seesHostPids: isOwnPids,
    isProfilingRestricted: restricted === undefined ? null : restricted !== '0',
  }
}

/** What says that there is a GPU, and that this program was to have it; null when nothing does. */
export function gpuTrace(seen: Surroundings): string | null {
  if (seen.kernelDriver !== null) return `kernel module ${seen.kernelDriver} is loaded`
  if (seen.nodes.length > 0) return `/dev/${seen.nodes[0]!.name} is here`
  if (seen.pciGpus?.length) return `there is an NVIDIA GPU at ${seen.pciGpus.join(', ')}`
  if (isSet(seen.visibleDevices)) return `NVIDIA_VISIBLE_DEVICES is ${seen.visibleDevices}`
  return null
}

/** `void` and `none` are how the runtime and the device plugin say "no GPU". */
export function isSet(visible: string | null): boolean {
  return visible !== null && !['', 'void', 'none'].includes(visible)
}

/** sysfs is not of a namespace: a container sees the host's bus. @see torvalds/linux:Documentation/ABI/testing/sysfs-bus-pci */
async function readPciGpus(folder: string): Promise<string[] | null> {
  const entries = await readdir(folder).catch(() => null)
  if (entries === null) return null
  const found = await Promise.all(
    entries.map(async entry => {
      const [vendor, kind] = await Promise.all(
        ['vendor', 'class'].map(async file => readFile(join(folder, entry, file), 'utf8').catch(() => '')),
      )
      return vendor!.trim() === NVIDIA && kind!.startsWith(DISPLAY_CLASS) ? entry : null
    }),
  )
  return found.filter(entry => entry !== null).sort()
}

async function readNodes(folder: string): Promise<DeviceNode[]> {
  const names = (await readdir(folder).catch(() => [])).filter(name => NODE.test(name)).sort()
  return Promise.all(
    names.map(async name => {
      const path = join(folder, name)
      const isUsable = await access(path, constants.R_OK | constants.W_OK).then(
        () => true,
        () => false,
      )
      const {mode, gid} = await stat(path)
      return {name, isUsable, mode: `0${(mode & 0o777).toString(8)}`, groupId: gid}
    }),
  )
}

async function readContainer(
  root: string,
  environment: NodeJS.ProcessEnv,
): Promise<Surroundings['container']> {
  if (environment['KUBERNETES_SERVICE_HOST']) return 'kubernetes'
  for (const mark of ['.dockerenv', 'run/.containerenv']) {
    if (
      await access(join(root, mark)).then(
        () => true,
        () => false,
      )
    )
      return 'other'
  }
  return environment['container'] ? 'other' : null
}
