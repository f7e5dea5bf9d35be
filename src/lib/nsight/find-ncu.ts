import {access, constants, readdir} from 'node:fs/promises'
import {delimiter, join} from 'node:path'

/**
 * Where Nsight Compute's command line is: on PATH, else where NVIDIA's packages put it, the newest first.
 *
 * @param root `/`, or a folder that stands for it outside PATH
 * @returns null when it is not installed
 */
export async function findNcu(environment: NodeJS.ProcessEnv, root = '/'): Promise<string | null> {
  const onPath = (environment['PATH'] ?? '').split(delimiter).filter(folder => folder !== '')
  const packages = join(root, 'opt/nvidia/nsight-compute')
  const versions = (await readdir(packages).catch(() => []))
    .sort((a, b) => b.localeCompare(a, 'en', {numeric: true}))
    .map(version => join(packages, version))
  for (const folder of [...onPath, join(root, 'usr/local/cuda/bin'), ...versions]) {
    const path = join(folder, 'ncu')
    const isThere = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    )
    if (isThere) return path
  }
  return null
}
