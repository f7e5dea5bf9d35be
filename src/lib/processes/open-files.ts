import {readdir, readlink} from 'node:fs/promises'
import {join} from 'node:path'
import {readProcessIdentity} from './process-identity.js'

/** Processes of this machine that have a file open, as far as this user may look into them. */
export async function whoHasOpen(
  path: string,
  procFolder = '/proc',
): Promise<{readonly pid: number; readonly command: string | null}[]> {
  const found: {pid: number; command: string | null}[] = []
  for (const entry of await readdir(procFolder)) {
    if (!/^\d+$/.test(entry)) continue
    const folder = join(procFolder, entry, 'fd')
    const fds = await readdir(folder).catch(() => [])
    const targets = await Promise.all(fds.map(async fd => readlink(join(folder, fd)).catch(() => '')))
    if (!targets.includes(path)) continue
    const identity = await readProcessIdentity(Number(entry), procFolder)
    found.push({pid: Number(entry), command: identity?.command ?? identity?.name ?? null})
  }
  return found
}
