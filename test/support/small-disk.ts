import {spawn, spawnSync} from 'node:child_process'
import {once} from 'node:events'
import {join} from 'node:path'
import {repositoryRoot, type CliResult} from './cli.js'

/** Where the kernel lets us mount: a private mount namespace of our own. */
const canMount = spawnSync('unshare', ['-rm', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt']).status === 0

export const smallDiskKind = canMount ? 'a disk of 64 KiB' : 'files of at most 32 KiB'

/**
 * Runs kvctl where there is little space: with `folder` on a tiny disk of its own where mounting is permitted, else with a
 * limit on the size of each file. What it left on the disk is copied out of the namespace to `kept`.
 */
export async function runOnSmallDisk(
  args: readonly string[],
  folder: string,
  kept: string,
): Promise<CliResult> {
  const run = '"$node" "$@"; code=$?; cp -r "$folder" "$kept"; exit $code'
  const script = canMount
    ? `mount -t tmpfs -o size=64k tmpfs "$folder" && cd "$folder" && ${run}`
    : `cd "$folder" && (ulimit -f 64; "$node" "$@"); code=$?; cp -r "$folder" "$kept"; exit $code`
  const shell = ['sh', '-c', script, 'sh', join(repositoryRoot, 'bin/run.js'), ...args]
  const [program = '', ...rest] = canMount ? ['unshare', '-rm', ...shell] : shell
  const env = {...process.env, NO_COLOR: '1', node: process.execPath, folder, kept}
  const child = spawn(program, rest, {env, stdio: ['ignore', 'pipe', 'pipe']})
  let [stdout, stderr] = ['', '']
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null]
  return {code: code ?? -1, signal, stdout, stderr}
}
