/** What a typed line asks for. */
export type ShellOrder =
  | {readonly kind: 'nothing'}
  | {readonly kind: 'leave'}
  | {readonly kind: 'help'; readonly words: readonly string[]}
  | {readonly kind: 'system'; readonly line: string}
  | {readonly kind: 'command'; readonly id: string; readonly args: readonly string[]}
  | {readonly kind: 'unknown'; readonly word: string}

const LEAVE = new Set(['exit', 'quit'])

/**
 * Pure: the order behind a line. `watch 2 NAME` sets the interval as in kvcached's shell; a leading `kvctl` is skipped.
 *
 * @param split cuts a line into words
 * @param ids of commands, words joined by `:`
 * @throws what `split` throws
 * @see ovg-project/kvcached:kvcached/cli/kvctl.py — there, anything unknown goes to the system's shell
 */
export function findCommand(
  line: string,
  split: (line: string) => readonly string[],
  ids: readonly string[],
): ShellOrder {
  const trimmed = line.trim()
  if (trimmed === '' || trimmed.startsWith('#')) return {kind: 'nothing'}
  if (trimmed.startsWith('!')) return {kind: 'system', line: trimmed.slice(1).trim()}
  const typed = split(trimmed)
  const words = typed[0] === 'kvctl' ? typed.slice(1) : typed
  const [first] = words
  if (first === undefined) return {kind: 'nothing'}
  if (LEAVE.has(first)) return {kind: 'leave'}
  if (first === 'help' || first === '--help') return {kind: 'help', words: words.slice(1)}
  const id = ids
    .filter(id => id.split(':').every((word, at) => word === words[at]))
    .sort((a, b) => b.length - a.length)[0]
  if (id === undefined) {
    const isTopic = ids.some(known => known.startsWith(`${first}:`))
    return isTopic ? {kind: 'help', words: [first]} : {kind: 'unknown', word: first}
  }
  const args = words.slice(id.split(':').length)
  if (asksForHelp(args)) return {kind: 'help', words: id.split(':')}
  return {kind: 'command', id, args: id === 'watch' ? withInterval(args) : args}
}

function asksForHelp(args: readonly string[]): boolean {
  const end = args.indexOf('--')
  return args.slice(0, end < 0 ? args.length : end).includes('--help')
}

function withInterval(args: readonly string[]): readonly string[] {
  return /^\d+(\.\d+)?$/.test(args[0] ?? '') ? ['--interval', ...args] : args
}
