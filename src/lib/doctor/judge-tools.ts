import {fail, ok, skipped, warn, type Check} from './check.js'

/** Pure: whether this Node runs kvctl, and runs it well. @param version such as `20.19.4` */
export function judgeNode(version: string): Check {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  if (major < 20 || (major === 20 && minor < 19))
    return fail('node', `Node ${version} is too old`, 'install Node 20.19 or newer, 24 for choice')
  if (major < 24) return ok('node', `Node ${version} (24 starts faster and reads streams twice as fast)`)
  return ok('node', `Node ${version}`)
}

/** Pure. @param problem why koffi could not be loaded; null when it was */
export function judgeNativeCalls(problem: string | null): Check {
  if (problem === null) return ok('native-calls', 'koffi loads: segments can be locked, libraries called')
  return fail('native-calls', `koffi cannot be loaded: ${problem}`, 'npm ci again, without --omit=optional')
}

/** What was found of Nsight Compute. */
export interface NsightSight {
  /** Null when it is not installed. */
  readonly path: string | null
  /** Whether its counters are for administrators alone, and this user is none. */
  readonly isRestricted: boolean
}

/** Pure: whether `kvctl nsight` can work. */
export function judgeNsight({path, isRestricted}: NsightSight): Check {
  const name = 'nsight-compute'
  if (path === null)
    return skipped(
      name,
      'ncu is not installed; only kvctl nsight needs it',
      'https://developer.nvidia.com/nsight-compute, or the package nsight-compute',
    )
  if (isRestricted)
    return warn(
      name,
      `${path}; counters are for administrators (RmProfilingAdminOnly)`,
      'run it as root, or load the module with NVreg_RestrictProfilingToAdminUsers=0; in a container, --cap-add SYS_ADMIN',
    )
  return ok(name, path)
}
