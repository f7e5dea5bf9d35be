import {access, constants, readdir} from 'node:fs/promises'
import {delimiter, join} from 'node:path'

/**
 * Where Nsight Compute's command line is: on PATH, else where NVIDIA's packages put it, the newest first.
 *
 * @param root `/`, or a folder that stands for it outside PATH
 * @returns null when it is not installed
 */
export async function findNcu(environment: NodeJS.ProcessEnv, root = '/'): Promise<string | null> {
  const packages = join(root, 'opt/nvidia/nsight-compute')
  const versions = (await readdir(packages).catch(() => []))
    .sort((a, b) => b.localeCompare(a, 'en', {numeric: true}))
    .map(version => join(packages, version))
  return firstOf(
    [...pathOf(environment), join(root, 'usr/local/cuda/bin'), ...versions].map(folder =>
      join(folder, 'ncu'),
    ),
  )
}

/** Where a shell would find a program; null when it would not. @param name a name, or a path */
export async function findExecutable(name: string, environment: NodeJS.ProcessEnv): Promise<string | null> {
  return firstOf(name.includes('/') ? [name] : pathOf(environment).map(folder => join(folder, name)))
}

function pathOf(environment: NodeJS.ProcessEnv): string[] {
  return (environment['PATH'] ?? '').split(delimiter).filter(folder => folder !== '')
}

async function firstOf(paths: readonly string[]): Promise<string | null> {
  for (const path of paths) {
    const isThere = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    )
    if (isThere) return path
  }
  return null
}
