import {fail, ok, warn, type Check} from './check.js'

/** How kvcached reads a variable. */
interface Variable {
  /** What holds where it is not set; null where it has no value then. */
  readonly otherwise: string | null
  /** What is wrong with a value; null when it is fine. */
  readonly fault: (value: string) => string | null
  /** kvcached takes such a value for another one; without this it does not start with it. */
  readonly isMisread?: true
}

const switchable: Variable['fault'] = value =>
  ['true', 'false', '1', '0'].includes(value.toLowerCase())
    ? null
    : 'is neither true nor false, which counts as false'
const whole =
  (least: number): Variable['fault'] =>
  value =>
    /^[+-]?\d+$/.test(value) && Number(value) >= least ? null : `must be a whole number of at least ${least}`
const anything: Variable['fault'] = () => null

/**
 * kvcached's variables with its own defaults.
 *
 * @see ovg-project/kvcached:kvcached/utils.py
 */
const VARIABLES: Readonly<Record<string, Variable>> = {
  ENABLE_KVCACHED: {otherwise: 'false', fault: switchable, isMisread: true},
  KVCACHED_AUTOPATCH: {otherwise: null, fault: switchable, isMisread: true},
  KVCACHED_IPC_NAME: {
    otherwise: null,
    isMisread: true,
    fault: value => (/^[\w.-]+$/.test(value) ? null : 'holds characters that become - in the segment’s name'),
  },
  KVCACHED_GPU_UTILIZATION: {
    otherwise: '0.95',
    fault: value => (Number(value) > 0 && Number(value) <= 1 ? null : 'must be above 0 and at most 1'),
  },
  KVCACHED_PAGE_SIZE_MB: {
    otherwise: '2',
    fault: value =>
      /^\+?\d+$/.test(value) && Number(value) > 0 && Number(value) % 2 === 0
        ? null
        : 'must be a positive multiple of 2',
  },
  KVCACHED_LOG_LEVEL: {
    otherwise: 'INFO',
    isMisread: true,
    fault: value =>
      /^(debug|info|warn|warning|error|critical|fatal)$/i.test(value)
        ? null
        : 'is no level, which counts as INFO',
  },
  KVCACHED_PAGE_PREALLOC_ENABLED: {
    otherwise: 'true',
    isMisread: true,
    fault: value =>
      /^(true|false)$/i.test(value) ? null : 'is not true, which also turns the watch for new limits off',
  },
  KVCACHED_MIN_RESERVED_PAGES: {otherwise: '5', fault: whole(0)},
  KVCACHED_MAX_RESERVED_PAGES: {otherwise: '10', fault: whole(0)},
  KVCACHED_CONTIGUOUS_LAYOUT: {otherwise: 'true', fault: switchable, isMisread: true},
  KVCACHED_SANITY_CHECK: {otherwise: 'false', fault: switchable, isMisread: true},
  KVCACHED_LOG_COLOR: {otherwise: 'true', fault: switchable, isMisread: true},
  KVCACHED_LOG_COLOR_CODE: {otherwise: null, fault: anything},
  KVCACHED_MAX_CACHED_TOKENS: {otherwise: '16000', fault: whole(-Infinity)},
  KVCACHED_MAX_CACHED_BLOCKS: {otherwise: '1000', fault: whole(-Infinity)},
  KVCACHED_IPC_TIMEOUT: {
    otherwise: '60',
    fault: value => (value !== '' && !Number.isNaN(Number(value)) ? null : 'must be a number of seconds'),
  },
}
/** Read by kvcached's scripts and builds only. */
const SCRIPTS = /^KVCACHED_(NIXL_CONTIGUOUS_LAYOUT|TEST_MODEL|BENCH_VERBOSE|DIR|USE_CUDA|USE_HIP|BACKEND)$/

/** Pure: the `KVCACHED_*` values that hold for a program started from here, and those that kvcached would misread. */
export function judgeKvcachedVariables(environment: NodeJS.ProcessEnv): Check[] {
  const set = Object.entries(environment).filter(([, value]) => value !== undefined && value.trim() !== '')
  const values = new Map(set.map(([name, value]) => [name, value!.trim()]))
  const faults = Object.entries(VARIABLES).flatMap(([name, {otherwise, fault, isMisread}]) => {
    const value = values.get(name)
    const why = value === undefined ? null : fault(value)
    if (why === null) return []
    const judge = isMisread ? warn : fail
    return [
      judge(
        `variable ${name}`,
        `${name}='${value}' ${why}`,
        `export ${name}=${otherwise ?? '…'}, or unset it`,
      ),
    ]
  })
  const unknown = [...values.keys()]
    .filter(name => name.startsWith('KVCACHED_') && !(name in VARIABLES) && !SCRIPTS.test(name))
    .map(name =>
      warn(
        `variable ${name}`,
        `kvcached has no variable ${name}`,
        'kvctl doctor lists those that it has under kvcached-variables',
      ),
    )
  return [ok('kvcached-variables', effective(values)), ...faults, ...unknown, ...reserves(values)]
}

function effective(values: ReadonlyMap<string, string>): string {
  const shown = Object.entries(VARIABLES).flatMap(([name, {otherwise}]) => {
    const value = values.get(name)
    if (value !== undefined) return [`${name}=${value}`]
    return otherwise === null ? [] : [`${name}=${otherwise} (default)`]
  })
  return shown.join(', ')
}

/** A reserve that may not be kept is refilled and given back for ever. */
function reserves(values: ReadonlyMap<string, string>): Check[] {
  const pages = (name: string): number => Number(values.get(name) ?? VARIABLES[name]!.otherwise)
  const [least, most] = [pages('KVCACHED_MIN_RESERVED_PAGES'), pages('KVCACHED_MAX_RESERVED_PAGES')]
  if (!(least > most)) return []
  return [
    warn(
      'variable KVCACHED_MIN_RESERVED_PAGES',
      `${least} pages are mapped ahead of need, but only ${most} stay mapped (KVCACHED_MAX_RESERVED_PAGES)`,
      `export KVCACHED_MAX_RESERVED_PAGES=${least} or more`,
    ),
  ]
}
