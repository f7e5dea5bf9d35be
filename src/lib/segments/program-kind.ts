import {withoutSecretWords} from '../foundation/index.js'

const SHELLS_AND_STARTERS = new Set(
  'sh bash dash zsh fish ksh busybox tmux screen sudo su env nohup setsid timeout time nice taskset numactl tini dumb-init docker-init init systemd sleep tail tee cat'.split(
    ' ',
  ),
)

interface Program {
  /** The base names of the first two words, without the dash of a login shell. */
  readonly program: string
  readonly script: string
  readonly words: readonly string[]
}

/** kvcached's own tools, ours and flock(1): they use segments, and are no engines. */
export function isTool(command: string | null): boolean {
  const {program, script} = parse(command)
  if (program === 'flock' || program === 'kvtop' || script === 'kvtop') return true
  const word = kvctlCommand(command)
  return word !== null && word !== 'engine' && word !== 'quickstart'
}

/** Shells and programs that start others and hand down their environment and process group. */
export function isStarter(command: string | null): boolean {
  return SHELLS_AND_STARTERS.has(parse(command).program)
}

/**
 * Whether it is an inference server by what it was started with: vLLM, SGLang or `kvctl engine`.
 *
 * @see vllm-project/vllm:vllm/utils/system_utils.py — set_process_title, `VLLM::EngineCore`
 * @see sgl-project/sglang:python/sglang/srt/managers/scheduler.py — setproctitle, `sglang::scheduler`
 */
export function isEngine(command: string | null): boolean {
  const {program, script, words} = parse(command)
  if (kvctlCommand(command) === 'engine') return true
  if (/^(VLLM|sglang)::/.test(words[0] ?? '')) return true
  if ([program, script].some(name => name === 'vllm' || name === 'sglang')) return true
  return words.some((word, index) => words[index - 1] === '-m' && /^(vllm|sglang)(\.|$)/.test(word))
}

/** The title, at most 15 bytes, of the process in an engine that owns the KV cache. */
export function isCoreTitle(title: string): boolean {
  return /^(VLLM::EngineCor|sglang::schedul)/.test(title)
}

/** The segment that a `kvctl engine` was told to make by flag; null for other programs. */
export function segmentFlag(command: string | null): string | null {
  // The cheap question first: it is asked of each process of Node.
  const flag = / --ipc[-_]name[ =](\S+)/.exec(command ?? '')?.[1]
  return flag !== undefined && kvctlCommand(command) === 'engine' ? flag : null
}

const LONGEST_COMMAND = 200

/** A command line to be shown: without the values of flags that look secret, and of bounded length. */
export function showCommand(command: string): string {
  const shown = withoutSecretWords(command.split(' ')).join(' ')
  return shown.length > LONGEST_COMMAND ? `${shown.slice(0, LONGEST_COMMAND - 1)}…` : shown
}

/** The word after kvctl; null for other programs, empty when there is none. */
function kvctlCommand(command: string | null): string | null {
  const {program, script, words} = parse(command)
  if (program === 'kvctl') return words[1] ?? ''
  const isOurs = script === 'kvctl' || (program === 'node' && /(^|\/)bin\/run\.js$/.test(words[1] ?? ''))
  return isOurs ? (words[2] ?? '') : null
}

function parse(command: string | null): Program {
  const words = (command ?? '').split(' ')
  const [program, script] = words.map(word => word.split('/').pop()!.replace(/^-/, ''))
  return {program: program ?? '', script: script ?? '', words}
}
