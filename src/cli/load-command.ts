import {Flags, type Interfaces} from '@oclif/core'
import type {
  BenchAsk,
  BenchOutcome,
  BenchPlan,
  BenchWatcher,
  RequestShape,
  ResumePoint,
} from '../lib/bench/index.js'
import type {RunDirectory} from '../lib/runs/index.js'
import {ConfigurationError} from '../lib/foundation/index.js'
import {benchParts} from '../wiring/index.js'
import {BODY_FLAGS, requestBodyFlags, WORKLOAD_FLAGS, workloadFlags} from './workload-flags.js'
import {
  flagsOf,
  limitFlags,
  loadFlags,
  readLoadFlags,
  requestFlags,
  runFlags,
  targetFlags,
  urlsOf,
} from './bench-flags.js'
import {runDirOf} from './flags.js'
import {KvctlCommand} from './kvctl-command.js'
import {benchSloFlag, goalsOf} from './slo-flag.js'
import {openRunDisplay} from './run-display.js'

const everyFlag = {
  ...targetFlags,
  ...loadFlags,
  ...workloadFlags,
  ...requestFlags,
  ...requestBodyFlags,
  ...limitFlags,
  ...runFlags,
  slo: benchSloFlag,
  'allow-inconclusive': Flags.boolean({
    description: 'leave with 0 when no goal of the run fails but one is undecided',
    dependsOn: ['slo'],
  }),
}
type LoadFlagValues = Interfaces.InferredFlags<typeof everyFlag>

/** Flags of the load, and which of them were given. */
export interface ParsedLoad {
  readonly flags: LoadFlagValues
  readonly metadata: Interfaces.ParserOutput['metadata']
}

/** What `bench` and `load-test` share: from flags to a plan, new or resumed, and from a plan to a run directory. */
export abstract class LoadCommand extends KvctlCommand {
  static runFlags = everyFlag

  /** Weighs flags, profile and defaults; with --resume, reads the unfinished run and checks that the flags ask for no other. */
  protected async ask(
    parsed: ParsedLoad,
    notes: BenchAsk['notes'],
    apiKey: string | null,
  ): Promise<BenchAsk> {
    const {flags} = parsed
    const common = {
      apiKey,
      isInsecure: flags.insecure,
      isCalibrated: flags.calibrate,
      resetsCache: flags['reset-cache'],
    }
    const urls = urlsOf(flags.url)
    if (flags.resume) {
      const resume = await this.#resumePoint(parsed)
      const {model, meta} = resume
      const plan = await countingWith(flags.tokenizer, resume.plan)
      const {workers = meta.workers, transport = meta.transport} = flags
      const servers = urls.length > 0 ? urls : resume.urls
      return {...common, workers, transport, resume, plan, model, urls: servers, notes: {}}
    }
    const {planBench, resolveBenchOptions, wishesOfProfile, workloadOf} =
      await import('../lib/bench/index.js')
    const profile = await this.#profile(flags.profile)
    const wishes = wishesOfProfile(profile)
    const asked = resolveBenchOptions(await readLoadFlags(flags), wishes)
    const isPatternAsked = flags.pattern !== undefined || flags.rate !== undefined
    const {options, workload} = await workloadOf(asked, isPatternAsked)
    const plan = planBench(options, workload)
    const {workers = 1, transport = 'socket', model = null} = flags
    const how = {...common, workers, transport, urls, model}
    const {limits, objectives} = await goalsOf(flags.slo)
    return {
      ...how,
      plan,
      resume: null,
      notes: {
        ...notes,
        ...{profile, slo: limits, objectives: objectives.map(({text}) => text)},
        args: [...this.argv],
      },
    }
  }

  /** @param started told of the run as soon as it has a directory */
  protected async measure(
    ask: BenchAsk,
    outputDir: string | null,
    isPlain: boolean,
    started: (run: RunDirectory) => void = () => undefined,
  ): Promise<BenchOutcome> {
    const {requestsIn, runBench} = await import('../lib/bench/index.js')
    const parts = await benchParts(this.logger, {outputDir, isInsecure: ask.isInsecure})
    const total = ask.resume === null ? requestsOf(ask.plan) : requestsIn(ask.resume.list)
    const limitMs = ask.plan.mode === 'closed' ? (ask.plan.durationMs ?? Infinity) : Infinity
    const display = await openRunDisplay(total, isPlain || KvctlCommand.isInShell, limitMs)
    try {
      const watcher: BenchWatcher = {
        ...display.watcher,
        starting(target) {
          display.watcher.starting?.(target)
          started(target.run)
        },
      }
      return await runBench(ask, parts, watcher, this.signal)
    } finally {
      display.end()
      await parts.close()
    }
  }

  /** Tells how an interrupted run goes on. @throws the signal's reason when it was stopped before it measured anything */
  protected tellStop({run, outcomes, wasStopped}: BenchOutcome): void {
    if (!wasStopped) return
    const resume = `kvctl ${this.id ?? 'bench'} --resume --run-dir ${run.path}`
    if (outcomes.size > 0) {
      this.note(`Stopped early; the missing requests are sent by: ${resume}`)
      return
    }
    this.note(`Stopped during warm-up: nothing was measured. Go on with: ${resume}`)
    this.signal.throwIfAborted()
  }

  async #profile(name: string) {
    const {loadProfile} = await import('../lib/profiles/index.js')
    const {profile, warnings} = await loadProfile(name)
    for (const warning of warnings) this.note(`Warning: ${warning}`)
    return profile
  }

  async #resumePoint({flags, metadata}: ParsedLoad): Promise<ResumePoint> {
    const {openRunDirectory} = await import('../lib/runs/index.js')
    const {findResumePoint} = await import('../lib/bench/index.js')
    const point = await findResumePoint(await openRunDirectory(runDirOf(flags['output-dir'])))
    const isGiven = (name: string): boolean => metadata.flags[name]?.setFromDefault !== true
    const given = Object.fromEntries(Object.entries(flags).filter(([name]) => isGiven(name)))
    const others = [
      ...(flags.model === undefined || flags.model === point.model ? [] : ['model']),
      ...(isGiven('profile') && (await this.#isOtherProfile(flags.profile, point)) ? ['profile'] : []),
      ...(await this.#otherOptions(flags, given, point.plan)),
    ]
    if (others.length === 0) return point
    throw new ConfigurationError(
      'PLAN_DIFFERS',
      `the run in ${point.run.path} was planned with other values of: ${others.join(', ')}`,
      {
        suggestions: [
          `kvctl ${this.id ?? 'bench'} --resume --run-dir ${point.run.path}`,
          'leave out --resume to start a new run',
        ],
      },
    )
  }

  async #isOtherProfile(name: string, {meta}: ResumePoint): Promise<boolean> {
    const {isDeepStrictEqual} = await import('node:util')
    const stored = JSON.stringify(meta.profile)
    return !isDeepStrictEqual(JSON.parse(JSON.stringify(await this.#profile(name))), JSON.parse(stored))
  }

  /** What the flags that were given say differently from the plan. */
  async #otherOptions(
    flags: LoadFlagValues,
    given: Partial<LoadFlagValues>,
    {options}: BenchPlan,
  ): Promise<string[]> {
    const {planDifferences, resolveBenchOptions} = await import('../lib/bench/index.js')
    const stored = flagsOf(options)
    // Two ways to say one thing: the stored one must not win.
    if (given['prompt-tokens'] !== undefined) delete stored.prompt
    const isSaidAgain = WORKLOAD_FLAGS.some(name => given[name] !== undefined)
    const asked = resolveBenchOptions(await readLoadFlags({...flags, ...stored, ...given}), {})
    const seeds =
      given.seed === undefined ? {arrivalSeed: options.arrivalSeed, promptSeed: options.promptSeed} : {}
    const {request, pattern} = options
    const extra = BODY_FLAGS.some(name => given[name] !== undefined) ? {} : {extraBody: request.extraBody}
    const headers = given.header === undefined ? {headers: request.headers} : {}
    const prompt = request.prompt.kind === 'workload' && !isSaidAgain ? {prompt: request.prompt} : {}
    // A tokenizer that has moved is still the same.
    const isCountedAlike =
      given.tokenizer === undefined || asked.request.tokenizer?.sha256 === request.tokenizer?.sha256
    const tokenizer = isCountedAlike ? {tokenizer: request.tokenizer} : {}
    const same = {...asked.request, ...extra, ...headers, ...prompt, ...tokenizer}
    const timed = pattern === 'trace' && given.pattern === undefined ? {pattern} : {}
    return planDifferences(options, {...asked, ...seeds, ...timed, request: withDigestOf(request, same)})
  }
}

/** With the same tokenizer where it is now. */
async function countingWith(wanted: string | undefined, plan: BenchPlan): Promise<BenchPlan> {
  if (wanted === undefined) return plan
  const {openTokenizer} = await import('../lib/tokens/index.js')
  const {choice: tokenizer} = await openTokenizer(wanted)
  return {...plan, request: {...plan.request, tokenizer}}
}

/** The digest of a file is found, not asked for. */
function withDigestOf(stored: RequestShape, asked: RequestShape): RequestShape {
  if (stored.prompt.kind !== 'workload' || asked.prompt.kind !== 'workload') return asked
  const [one, other] = [stored.prompt.spec, asked.prompt.spec]
  if (!('path' in one) || !('path' in other)) return asked
  return {...asked, prompt: {kind: 'workload', spec: {...other, sha256: one.sha256}}}
}

/** Warm-up requests count as work: the progress line says what is left to wait for. */
function requestsOf({requests, warmupRequests}: BenchPlan): number {
  return requests + warmupRequests
}
