import {PLAIN_LOAD, planBench, resolveBenchOptions, wishesOfProfile, type BenchPlan} from '../bench/index.js'
import type {Profile} from '../profiles/index.js'

/** The shipped profile that the tour measures with. */
export const QUICKSTART_PROFILE = 'cpu-smoke'

const SEED = 42

/** The profile's load, asking for answers of full length, the same prompts in every tour. */
export function quickstartPlan(profile: Profile): BenchPlan {
  const flags = {
    ...PLAIN_LOAD,
    api: 'chat' as const,
    ignoresEos: true,
    extraBody: {},
    seed: SEED,
    timeoutMs: 30_000,
    timeoutConnectMs: 5000,
    timeoutFirstTokenMs: 0,
    timeoutIdleMs: 10_000,
  }
  return planBench(resolveBenchOptions(flags, wishesOfProfile(profile)))
}
