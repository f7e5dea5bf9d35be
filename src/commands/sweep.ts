import {join} from 'node:path'
import {Flags, type Interfaces} from '@oclif/core'
import {costFlags, runPricesOf} from '../cli/cost-flags.js'
import {countFlag, decimalFlag, durationFlag} from '../cli/flags.js'
import {apiKeyOf} from '../cli/api-key.js'
import {LoadCommand, type ParsedLoad} from '../cli/load-command.js'
import {kneeText, sweepText} from '../cli/sweep-summary.js'
import type {PriceWish} from '../lib/cost/index.js'
import {ConfigurationError, REMOVED, withoutSecretWords, withoutUrlSecrets} from '../lib/foundation/index.js'
import type {Objective} from '../lib/gate/index.js'
import type {RunResults} from '../lib/runs/index.js'
import type {Axis, KneeSearch, PointSummary, SweepFile, SweepPoint, SweepWatcher} from '../lib/sweep/index.js'

interface SweepJson extends SweepFile {
  readonly sweep_dir: string
  readonly summary: readonly PointSummary[]
}

/** What one point is measured with. */
interface Setting {
  readonly parsed: ParsedLoad
  readonly apiKey: string | null
  readonly prices: PriceWish | null
}

export default class Sweep extends LoadCommand {
  static override summary =
    'measure a server over a grid of settings, or search the highest rate that keeps its goals'
  static override description = [
    'With --axis, repeatable, every combination is measured, --repeat times, in a random order. An axis is any flag of the load, such as concurrency, rate, max-tokens, prompt-tokens, pattern or profile.',
    'With --knee rate (or concurrency, or another number) the highest value is searched that keeps every --objective: doubling until one fails, then halving the bracket until it is within --precision. What the data cannot decide is run longer, up to 8 times.',
    'Each run leaves a run directory in the folder of the sweep, beside sweep.json and sweep.csv. A run that fails is written down and the sweep goes on; Ctrl-C stops it, and --resume goes on.',
  ].join('\n')
  static override examples = [
    '<%= config.bin %> <%= command.id %> --url http://localhost:8000 --axis concurrency=5,10,20 --axis max-tokens=32,64,128 --repeat 3',
    "<%= config.bin %> <%= command.id %> --url http://localhost:8000 --knee rate --from 2 --duration 30s --objective 'p95(ttft) <= 500ms'",
    '<%= config.bin %> <%= command.id %> --resume --output-dir runs/sweep_2026-01-31_14-30-15',
  ]
  static override enableJsonFlag = true
  static override flags = {
    ...LoadCommand.runFlags,
    ...costFlags,
    axis: Flags.string({
      description: 'flag to vary and the values it takes; may be repeated',
      helpValue: 'NAME=VALUE,VALUE…',
      multiple: true,
      multipleNonGreedy: true,
    }),
    repeat: countFlag({description: 'measure every combination so often', min: 1, default: 1}),
    order: Flags.option({
      options: ['random', 'given'] as const,
      description: 'in which order combinations are measured',
      default: 'random' as const,
    })(),
    cooldown: durationFlag({
      description: 'wait so long between two runs, for the server to come to rest',
      default: 0,
    }),
    knee: Flags.string({
      description: 'search the highest value of this flag that keeps every --objective',
      helpValue: 'NAME',
      exclusive: ['axis'],
    }),
    objective: Flags.string({
      description: "goal of --knee, such as 'p95(ttft) <= 500ms'; may be repeated",
      multiple: true,
      multipleNonGreedy: true,
      helpValue: 'TEXT',
    }),
    from: decimalFlag({description: 'first value that --knee tries', default: 1}),
    most: decimalFlag({description: 'highest value that --knee tries', default: 10_000}),
    precision: decimalFlag({description: 'how close --knee comes, in percent', default: 5, max: 100}),
  }

  async run(): Promise<SweepJson> {
    const given = await this.parse(Sweep)
    const {folder, sweep, argv} = given.flags.resume
      ? await this.#resumed(given.flags['output-dir'])
      : await this.#started(given)
    const parsed = given.flags.resume ? await this.#keepingWords(() => this.parse(Sweep, argv)) : given
    const apiKey = apiKeyOf(given.flags['api-key'], ['KVCTL_API_KEY', 'KVMINI_API_KEY', 'OPENAI_API_KEY'])
    const prices = await runPricesOf(parsed.flags, message => this.note(`Warning: ${message}`))
    const setting = {parsed, apiKey, prices}
    const failures: unknown[] = []
    const measure = async (point: SweepPoint, runDir: string): Promise<RunResults> => {
      if (point.index > 1) await this.#coolDown(parsed.flags.cooldown)
      return this.#measurePoint(setting, point, runDir).catch((error: unknown) => {
        failures.push(error)
        throw error
      })
    }
    const {runGrid, runKnee, summarisePoints} = await import('../lib/sweep/index.js')
    this.note(`Sweep: ${folder}`)
    try {
      const ended =
        sweep.kind === 'grid'
          ? await runGrid(folder, sweep, measure, this.#watcher(), this.signal)
          : await runKnee(
              folder,
              sweep,
              searchOf(parsed.flags, sweep.axes[0]!.name),
              await objectivesOf(sweep.objectives),
              measure,
              this.#watcher(),
              this.signal,
            )
      const summary = summarisePoints(ended.points)
      this.log(ended.kind === 'grid' ? sweepText(ended, summary) : kneeText(ended))
      this.note(`Table: ${join(folder, 'sweep.csv')}`)
      // A sweep that measured nothing is none, and its first run says why.
      if (failures.length > 0 && ended.points.every(({status}) => status === 'failed')) throw failures[0]
      return {...ended, sweep_dir: folder, summary}
    } catch (error) {
      if (this.signal.aborted) this.note(`Stopped; go on with: kvctl sweep --resume --output-dir ${folder}`)
      throw error
    }
  }

  /** Every point is read before the first one runs: a mistake in the last must not show after an hour. */
  async #started({
    flags,
    metadata,
  }: {
    readonly flags: SweepFlags
    readonly metadata: ParsedLoad['metadata']
  }): Promise<Ready> {
    const {claimSweepFolder, gridPoints, parseAxis, writeSweep} = await import('../lib/sweep/index.js')
    const {runName} = await import('../lib/runs/index.js')
    const axes =
      flags.knee === undefined ? (flags.axis ?? []).map(parseAxis) : [{name: flags.knee, values: []}]
    if (axes.length === 0) {
      throw new ConfigurationError('AXIS_MISSING', 'what to sweep over is not said', {
        suggestions: ['--axis concurrency=5,10,20', "--knee rate --objective 'p95(ttft) <= 500ms'"],
      })
    }
    requireKnown(axes)
    const isKnee = flags.knee !== undefined
    const objectives = flags.objective ?? []
    await objectivesOf(objectives)
    if (isKnee && objectives.length === 0) {
      throw new ConfigurationError('OBJECTIVE_MISSING', '--knee needs at least one --objective', {
        suggestions: ["--objective 'p95(ttft) <= 500ms'"],
      })
    }
    const seed = flags.order === 'given' ? null : (flags.seed ?? ORDER_SEED)
    const points = isKnee ? [] : gridPoints(axes, flags.repeat, seed)
    const checked = isKnee ? [{[flags.knee!]: String(flags.from)}] : points.map(({values}) => values)
    for (const values of checked) await this.ask(await this.#with({flags, metadata}, values), {}, null)
    const sweep: SweepFile = {
      schema_version: 1,
      sweep_id: '',
      kind: isKnee ? 'knee' : 'grid',
      args: withoutSecretWords(withoutKeys(this.argv)),
      axes: axes.map(({name, values}) => ({name, values: [...values]})),
      repeat: flags.repeat,
      order_seed: seed,
      objectives,
      created_at: new Date().toISOString(),
      ended_at: null,
      points: points.map((point, index) => ({
        ...{
          index: index + 1,
          values: {...point.values},
          repetition: point.repetition,
          status: 'pending' as const,
        },
        ...{run_dir: null, error: null, metrics: null, verdict: null, length: null, missed: []},
      })),
      knee: null,
    }
    const root = process.env['KVMINI_OUTPUT_DIR'] || 'runs'
    const folder = await claimSweepFolder(flags['output-dir'] ?? join(root, `sweep_${runName(new Date())}`))
    const named = {...sweep, sweep_id: folder.split('/').at(-1)!}
    await writeSweep(folder, named)
    return {folder, sweep: named, argv: []}
  }

  async #resumed(folder: string | undefined): Promise<Ready> {
    if (folder === undefined) {
      throw new ConfigurationError('USAGE', '--resume needs the folder of the sweep: --output-dir DIR')
    }
    const {readSweep} = await import('../lib/sweep/index.js')
    const {realpath} = await import('node:fs/promises')
    const sweep = await readSweep(folder)
    const left = sweep.points.filter(({status}) => status === 'pending').length
    this.note(
      `Resuming ${folder}: ${sweep.kind === 'grid' ? `${left} of ${sweep.points.length} runs are missing` : `${sweep.points.length} runs were made`}.`,
    )
    return {folder: await realpath(folder), sweep, argv: withSecrets(sweep.args, this.argv, folder)}
  }

  /** The flags of the command line with one point's values in their place, read and checked as if they were given. */
  async #with(parsed: ParsedLoad, values: Readonly<Record<string, string>>): Promise<ParsedLoad> {
    const words = Object.entries(values).flatMap(([name, value]) => [`--${name}`, value])
    const {flags, metadata} = await this.#keepingWords(() => this.parse({flags: LoadCommand.runFlags}, words))
    const given = Object.fromEntries(
      Object.entries(flags).filter(
        ([name]) => metadata.flags[name]?.setFromDefault !== true && name in values,
      ),
    )
    return {...parsed, flags: {...parsed.flags, ...given}}
  }

  /** Parsing other words makes oclif take them for the command's own, `--json` among them. */
  async #keepingWords<T>(read: () => Promise<T>): Promise<T> {
    const own = this.argv
    try {
      return await read()
    } finally {
      this.argv = own
    }
  }

  async #measurePoint(
    {parsed, apiKey, prices}: Setting,
    point: SweepPoint,
    runDir: string,
  ): Promise<RunResults> {
    const longer = point.length ?? 1
    const read = await this.#with(parsed, point.values)
    const notes = {namespace: 'default', service: null}
    // --resume is the sweep's, which begins this run anew.
    const flags = {...read.flags, resume: false}
    const usual = await this.ask({...read, flags}, notes, apiKey)
    const {durationSeconds: seconds} = usual.plan.options
    const stretched = {
      requests: usual.plan.requests * longer,
      ...(seconds !== null && {duration: seconds * 1000 * longer}),
    }
    const ask =
      longer === 1 ? usual : await this.ask({...read, flags: {...flags, ...stretched}}, notes, apiKey)
    const {planBench} = await import('../lib/bench/index.js')
    const {options, workload} = ask.plan
    // Other prompts each time, or the cache of the first run would serve the second; the same arrivals.
    const promptSeed = options.promptSeed + point.repetition - 1
    const plan = point.repetition === 1 ? ask.plan : planBench({...options, promptSeed}, workload)
    const outcome = await this.measure({...ask, plan}, runDir, flags.plain)
    if (outcome.wasStopped) this.signal.throwIfAborted()
    const {analyzeRun} = await import('../lib/analysis/index.js')
    const {runVerdict} = await import('../lib/bench/index.js')
    if (prices !== null) await (await import('../lib/cost/index.js')).priceRun(outcome.run, prices)
    const {results} = await analyzeRun(outcome.run)
    const failure = runVerdict(outcome.outcomes, outcome.url)
    if (failure !== null) throw failure
    return results
  }

  async #coolDown(ms: number): Promise<void> {
    if (ms === 0) return
    const {setTimeout: sleep} = await import('node:timers/promises')
    await sleep(ms, undefined, {signal: this.signal}).catch(() => this.signal.throwIfAborted())
  }

  #watcher(): SweepWatcher {
    return {
      begins: ({index, values, repetition, length}, count) => {
        const place = count === null ? `[${index}]` : `[${index}/${count}]`
        const again = repetition > 1 ? `, repetition ${repetition}` : ''
        const longer = length !== null && length > 1 ? `, ${length} times as long` : ''
        const named = Object.entries(values).map(([name, value]) => `${name}=${value}`)
        this.note(`${place} ${named.join(' ')}${again}${longer}`)
      },
      ended: ({error, verdict, missed}) => {
        if (error !== null) this.note(`  failed: ${error.message}`)
        else if (verdict !== null)
          this.note(`  ${verdict}${missed.length > 0 ? `: ${missed.join('; ')}` : ''}`)
      },
    }
  }
}

type SweepFlags = Interfaces.InferredFlags<typeof Sweep.flags>

interface Ready {
  readonly folder: string
  readonly sweep: SweepFile
  readonly argv: string[]
}

const ORDER_SEED = 42
/** Counts: a search tries whole values only. */
const WHOLE = new Set(['concurrency', 'requests', 'max-tokens', 'prompt-tokens', 'max-concurrency', 'warmup'])
/** Flags that are about the run as a whole. */
const NO_AXES = new Set(['output-dir', 'resume', 'dry-run', 'api-key', 'json', 'log-level'])

function requireKnown(axes: readonly Axis[]): void {
  for (const {name, values} of axes) {
    if (values.some(value => withoutUrlSecrets(value) !== value)) {
      throw new ConfigurationError(
        'AXIS_INVALID',
        `a value of --axis ${name} holds a password, and the values of a sweep are written down`,
      )
    }
    if (name in LoadCommand.runFlags && !NO_AXES.has(name)) continue
    throw new ConfigurationError('AXIS_INVALID', `--${name} is no flag of the load that could be varied`, {
      suggestions: [
        'concurrency, rate, requests, max-tokens, prompt-tokens, pattern, profile, temperature …',
      ],
    })
  }
}

function searchOf(flags: {from: number; most: number; precision: number}, axis: string): KneeSearch {
  return {from: flags.from, most: flags.most, precision: flags.precision / 100, isWhole: WHOLE.has(axis)}
}

async function objectivesOf(texts: readonly string[]): Promise<Objective[]> {
  const {parseObjective} = await import('../lib/gate/index.js')
  return texts.map(parseObjective)
}

/** A command line that may be written down: without keys, and without how it is printed. */
function withoutKeys(argv: readonly string[]): string[] {
  return argv.filter((word, index) => {
    const isKey = /^--api-key(?:=|$)/.test(word) || argv[index - 1] === '--api-key'
    return !isKey && word !== '--json'
  })
}

/**
 * The command line of a sweep with what was removed from it: flags that held a secret are to be given again.
 *
 * @throws ConfigurationError `SECRET_NOT_KEPT`
 */
function withSecrets(stored: readonly string[], given: readonly string[], folder: string): string[] {
  return stored.map((word, index) => {
    if (!word.includes(REMOVED)) return word
    const flag = /^--[\w-]+(?==)/.exec(word)?.[0] ?? stored[index - 1] ?? word
    const at = given.indexOf(flag)
    const again =
      at >= 0 ? given[at + 1] : given.find(one => one.startsWith(`${flag}=`))?.slice(flag.length + 1)
    if (again !== undefined) return word.startsWith(`${flag}=`) ? `${flag}=${again}` : again
    throw new ConfigurationError(
      'SECRET_NOT_KEPT',
      `the ${flag} of this sweep held a secret, which is not kept`,
      {
        suggestions: [`give it again: kvctl sweep --resume --output-dir ${folder} ${flag} …`],
      },
    )
  })
}
