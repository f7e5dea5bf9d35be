import type {EngineFigures} from '../inference/index.js'
import {fail, ok, skipped, warn, type Check} from './check.js'

/** A port of ours or of the programs that we stand in for, and who listens there. */
export interface PortSight {
  readonly port: number
  /** What is expected there. */
  readonly purpose: string
  /** Null when nobody listens. */
  readonly listener: {readonly pid: number | null; readonly command: string | null} | null
}

/** Programs that have their place on these ports. */
const EXPECTED = /kvctl|vllm|sglang|lmcache|blackbox|python|node/i

/** Pure: who listens where kvctl, engines and caches are used to listen. */
export function judgePort({port, purpose, listener}: PortSight): Check {
  const name = `port ${port}`
  if (listener === null) return ok(name, `free (${purpose})`)
  const {pid, command} = listener
  if (pid === null)
    return warn(
      name,
      `taken by a process that this user may not see (${purpose})`,
      `sudo ss -ltnp 'sport = :${port}'; kvctl takes another with --port`,
    )
  const who = `${command ?? 'a process'} (pid ${pid})`
  if (EXPECTED.test(command ?? '')) return ok(name, `${who} listens (${purpose})`)
  return warn(name, `taken by ${who} (${purpose})`, 'end it, or give kvctl another with --port')
}

/** Pure: enough of a command line to know the program by, and nothing behind its first option: there people put keys. */
export function programOf(command: string): string {
  const words = command.split(' ')
  const end = words.findIndex((word, at) => at > 0 && word.startsWith('-') && word !== '-m')
  return words
    .slice(0, Math.min(end < 0 ? 3 : end, 3))
    .join(' ')
    .slice(0, 80)
}

/** What an engine answered. */
export interface EngineSight {
  readonly url: string
  /** Whether somebody asked for this one. */
  readonly isAsked: boolean
  /** HTTP status of `/health`; null when it could not be reached. */
  readonly status: number | null
  /** Why not. */
  readonly problem: string | null
  readonly version: string | null
  readonly figures: EngineFigures | null
}

/** Pure: whether engines serve, and what they say of their KV cache. */
export function judgeEngine({url, isAsked, status, problem, version, figures}: EngineSight): Check {
  const name = `engine ${url}`
  if (status === null) {
    if (!isAsked) return skipped(name, 'no engine answers there', '--engine-url names the engines to check')
    return fail(name, `${problem}`, 'start it, or correct --engine-url')
  }
  const what = version === null ? 'an engine of unknown version' : `version ${version}`
  if (status !== 200)
    return fail(
      name,
      `${what}, /health answers ${status}`,
      'look at the engine’s log; it may still be loading its model',
    )
  if (figures === null)
    return warn(
      name,
      `${what}, healthy, but no vllm: or sglang: series on /metrics`,
      'sglang needs --enable-metrics; vLLM has them unless --disable-log-stats',
    )
  const usage =
    figures.kvCacheUsage === null
      ? 'KV cache use unknown'
      : `KV cache ${(figures.kvCacheUsage * 100).toFixed(1)} % in use`
  const load = `${figures.running ?? '?'} running, ${figures.waiting ?? '?'} waiting`
  return ok(name, `${what}, healthy, ${usage}, ${load}`)
}

/** Two answers of `/proxy/stats`, one right after the other. */
export interface StatsSight {
  readonly url: string
  /** Why it could not be asked; null when it answered. */
  readonly problem: string | null
  readonly status: number
  /** Of the first answer. */
  readonly tookMs: number
  /** The `error` of its body. */
  readonly error: string | null
  /** How old the figures were by the server's own clock; null when it does not say. */
  readonly ageMs: number | null
  /** `X-Cache` of the second answer. */
  readonly secondCache: string | null
}

/** The cache holds for 1 s, and a `Date` header is cut to whole seconds. */
const OLDEST_MS = 3000
const SLOWEST_MS = 250

/** Pure: whether the GPU figures that a server gives are fresh, cached and quick. */
export function judgeStats({url, problem, status, tookMs, error, ageMs, secondCache}: StatsSight): Check {
  const name = 'cached-sample'
  if (problem !== null) return fail(name, problem, 'start kvctl serve there, or correct --url')
  if (error?.includes('NVML not initialized'))
    return fail(
      name,
      `${url}: ${error}`,
      'on that machine: install and load the NVIDIA driver, give the container /dev/nvidia*, set the NVIDIA container runtime up; kvctl doctor there tells which',
    )
  if (error?.includes('no GPUs found'))
    return fail(
      name,
      `${url}: ${error}`,
      'give the pod resources.limits nvidia.com/gpu, and check that the NVIDIA device plugin runs',
    )
  if (status === 404) return skipped(name, `${url} has no /proxy/stats`, 'kvctl serve with the family stats')
  if (error !== null || status !== 200)
    return fail(name, `${url} answers ${status}: ${error ?? 'no document'}`, 'look at the server’s log')
  if (ageMs !== null && ageMs > OLDEST_MS)
    return fail(
      name,
      `the figures of ${url} are ${(ageMs / 1000).toFixed(1)} s old`,
      'its driver may hang: kvctl doctor on that machine; restart the server',
    )
  const age = ageMs === null ? 'of unknown age' : `${Math.max(0, Math.round(ageMs))} ms old`
  if (secondCache !== 'HIT')
    return warn(
      name,
      `${url} answers a second request with X-Cache: ${secondCache ?? 'nothing'}`,
      'something between drops the header, or asks another replica each time',
    )
  if (tookMs > SLOWEST_MS)
    return warn(
      name,
      `${url} took ${Math.round(tookMs)} ms for fresh figures`,
      'check the GPU driver’s health (kvctl doctor on that machine), ask once a second at most',
    )
  return ok(name, `${url}: figures ${age}, fresh ones in ${Math.round(tookMs)} ms, cached (X-Cache: HIT)`)
}
