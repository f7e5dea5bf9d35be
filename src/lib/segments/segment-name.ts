import {readFileSync} from 'node:fs'
import {basename, dirname} from 'node:path'
import {ConfigurationError} from '../foundation/index.js'

const LONGEST_NAME_BYTES = 255

/**
 * The name under which our own engine publishes: `KVCACHED_IPC_NAME`, sanitised and otherwise exactly as given, or
 * `kvcached_kvctl_<process group>`.
 *
 * @see ovg-project/kvcached:kvcached/utils.py — same rules, where the tag is vLLM, SGLang or proc
 */
export function defaultSegmentName(environment: NodeJS.ProcessEnv, groupId: () => number): string {
  const asked = environment['KVCACHED_IPC_NAME']
  return asked ? sanitizeName(asked) : `kvcached_kvctl_${groupId()}`
}

/** Every character but Unicode letters, digits, `_` and `-` becomes `-`; then the first 64 characters. */
export function sanitizeName(name: string): string {
  return Array.from(name.replaceAll(/[^\p{L}\p{N}_-]/gu, '-'))
    .slice(0, 64)
    .join('')
}

/** The process group id of this process, else its session id, else its pid. */
export function processGroupId(): number {
  try {
    return parseGroupId(readFileSync('/proc/self/stat', 'utf8')) ?? process.pid
  } catch {
    // No /proc: the pid is kvcached's own last resort.
    return process.pid
  }
}

/** @param stat a line of /proc/PID/stat; its second field, the program's name, may hold spaces and parentheses */
export function parseGroupId(stat: string): number | null {
  const [, , group, session] = stat
    .slice(stat.lastIndexOf(')') + 1)
    .trim()
    .split(' ')
    .map(Number)
  return [group, session].find(id => id !== undefined && id > 0) ?? null
}

/** The process group at the end of a default name, `kvcached_<tag>_<group>`; null for any other name. */
export function groupInName(name: string): number | null {
  const group = /^kvcached_.+?_(\d+)(?:_\d+|_g\d+)?$/.exec(name)?.[1]
  return group === undefined || Number(group) === 0 ? null : Number(group)
}

/**
 * A segment's name as a person may type it: the name, or its full path in the segment folder.
 *
 * @returns the file name
 * @throws ConfigurationError `SEGMENT_NAME_INVALID` on anything that could lead out of the folder
 */
export function checkName(directory: string, given: string): string {
  const name = dirname(given) === directory ? basename(given) : given
  const isFileName = name !== '' && name !== '.' && name !== '..' && !/[/\0]/.test(name)
  if (isFileName && Buffer.byteLength(name) <= LONGEST_NAME_BYTES) return name
  throw new ConfigurationError('SEGMENT_NAME_INVALID', `'${given}' is not a segment name`, {
    suggestions: [`write the name of a file in ${directory}, as kvctl list shows it`],
  })
}
