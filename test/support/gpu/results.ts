import {appendFileSync} from 'node:fs'

/**
 * One line of what the GPU suite saw, for `docs/gpu-results.md`: `GPU-RESULT {"what": …, "result": …}` on stdout, and in the
 * file that `KVCTL_GPU_RESULTS` names.
 */
export function recordGpuResults(what: string, result: unknown): void {
  const line = JSON.stringify({what, result})
  console.log(`GPU-RESULT ${line}`)
  const file = process.env['KVCTL_GPU_RESULTS']
  if (file) appendFileSync(file, `${line}\n`)
}
