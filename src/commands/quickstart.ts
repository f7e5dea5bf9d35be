import {relative} from 'node:path'
import {Flags} from '@oclif/core'
import {KvctlCommand} from '../cli/kvctl-command.js'
import type {LoadCounts} from '../lib/bench/index.js'
import {createProgressLine, type ProgressLine} from '../cli/progress-line.js'
import {segmentTable, tableStyle} from '../cli/table.js'
import {formatDurationMs, formatSize} from '../lib/foundation/index.js'
import type {
  LimitStory,
  QuickstartJson,
  QuickstartOutcome,
  QuickstartWatcher,
} from '../lib/quickstart/index.js'
import type {RunResults} from '../lib/runs/index.js'
import {benchParts} from '../wiring/index.js'

const NEXT = [
  ['kvctl bench --url http://localhost:8000', 'measure a server of yours'],
  ['kvctl engine --port 8000', 'keep the engine for OpenAI clients'],
  ['kvctl watch', 'segments and their limits, live'],
] as const

export default class Quickstart extends KvctlCommand {
  static override summary = 'see engine, segment, benchmark and report on this machine in less than a minute'
  static override description = `Starts kvctl's own engine, shows the segment with its KV-cache figures, measures it with the cpu-smoke profile, shrinks
its limit while requests run and shows that it obeyed, and writes a report. Needs no GPU, no model and no network. When it
is done the engine has ended, its segment is gone and the run directory remains.`
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --output-dir /tmp/first-run --json',
  ]
  static override enableJsonFlag = true
  static override flags = {
    'output-dir': Flags.string({
      description: 'run directory (default <KVMINI_OUTPUT_DIR or runs>/<time>)',
      helpValue: 'DIR',
    }),
  }

  async run(): Promise<QuickstartJson> {
    const {flags} = await this.parse(Quickstart)
    const {quickstartJson} = await import('../lib/quickstart/index.js')
    const outcome = await this.#tour(flags['output-dir'] ?? null)
    this.#tellEnd(outcome)
    return quickstartJson(
      outcome,
      NEXT.map(([command]) => command),
    )
  }

  async #tour(outputDir: string | null): Promise<QuickstartOutcome> {
    const {QUICKSTART_PROFILE, quickstartPlan, runQuickstart} = await import('../lib/quickstart/index.js')
    const {loadProfile} = await import('../lib/profiles/index.js')
    const {createLiveRun, progressLine} = await import('../lib/bench/index.js')
    const {profile} = await loadProfile(QUICKSTART_PROFILE)
    const plan = quickstartPlan(profile)
    const parts = await benchParts(this.logger, {outputDir, isInsecure: false})
    const line = createProgressLine(process.stderr)
    const live = createLiveRun(plan.warmupRequests + plan.requests, performance.now())
    const progress = (counts: LoadCounts): void => {
      live.progress(counts, performance.now())
      line.show(progressLine(live.look(performance.now())))
    }
    try {
      return await runQuickstart(
        plan,
        {profile, args: [...this.argv]},
        parts,
        this.#teller(line, progress, QUICKSTART_PROFILE),
        this.signal,
      )
    } finally {
      line.end()
      await parts.close()
    }
  }

  #teller(line: ProgressLine, progress: (counts: LoadCounts) => void, profile: string): QuickstartWatcher {
    return {
      engineStarted: (engine, segment) => {
        this.log(`1  Engine\n   kvctl's own engine answers at ${engine.url} (pid ${engine.pid}).`)
        this.log('   No GPU: its KV cache lies in real memory pages, its timing is simulated.\n')
        this.log('2  Segment')
        this.log(indented(segmentTable([segment], [], tableStyle(process.stdout, process.env, false))))
        this.log(`\n3  Benchmark (profile ${profile}), and a smaller limit while it runs`)
      },
      progress,
      limitObeyed: story => {
        line.end()
        this.log(indented(limitText(story)))
      },
    }
  }

  #tellEnd({results, reportPath}: QuickstartOutcome): void {
    this.log(indented(resultText(results)))
    this.log(`\n4  Report\n   ${relative(process.cwd(), reportPath)}\n\nNext`)
    for (const [command, meaning] of NEXT) this.log(`   ${command.padEnd(40)} ${meaning}`)
  }
}

/** The figures of the run that fit on a screen of 80 columns. */
function resultText({requests, performance, metrics, tokens_per_sec: tokens}: RunResults): string {
  const ms = (value: number | null | undefined): string => (value == null ? 'N/A' : `${value.toFixed(1)} ms`)
  const row = (label: string, name: string): string[] => {
    const metric = metrics[name]
    if (metric === undefined || 'value' in metric) return []
    return [`${label.padEnd(22)} p50 ${ms(metric.p50).padStart(10)}   p95 ${ms(metric.p95).padStart(10)}`]
  }
  return [
    `${requests.success} of ${requests.total} requests succeeded: ${performance.throughput_rps?.toFixed(1) ?? 'N/A'} requests/s, ${tokens?.toFixed(0) ?? 'N/A'} output tokens/s.`,
    ...row('Time to first token', 'ttft'),
    ...row('Between tokens', 'icl'),
    ...row('Whole answer', 'e2e'),
  ].join('\n')
}

function limitText({before, after, limitBytes, answeredAtChange, obeyedAfterMs}: LimitStory): string {
  const held = formatSize(before.usedBytes + before.preallocBytes)
  return [
    `After ${answeredAtChange} answers: limit ${formatSize(before.limitBytes)} → ${formatSize(limitBytes)}; the engine held ${held}.`,
    `${formatDurationMs(obeyedAfterMs)} later it held ${formatSize(after.usedBytes + after.preallocBytes)}: obeyed.`,
  ].join('\n')
}

function indented(text: string): string {
  return text.replace(/^(?=.)/gm, '   ')
}
