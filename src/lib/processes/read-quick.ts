import {readFileSync} from 'node:fs'

/**
 * A file of /proc that the kernel writes in microseconds, such as `stat`: handing it to another thread and back costs many
 * times as much. Not for `cmdline` and `environ`, which wait for the memory of a process that may hang.
 *
 * @returns null when it is gone or not permitted
 */
export function readQuick(path: string): string | null {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return null
  }
}
