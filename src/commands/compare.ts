import {Args, Flags} from '@oclif/core'
import {comparisonText} from '../cli/comparison-text.js'
import {comparedFigureOf} from '../cli/compared-figure.js'
import {decimalFlag} from '../cli/flags.js'
import {KvctlCommand} from '../cli/kvctl-command.js'
import {openRuns} from '../cli/open-runs.js'
import {createReadingLine} from '../cli/reading-line.js'
import type {ComparisonJson} from '../lib/analysis/index.js'
import {ValidationError} from '../lib/foundation/index.js'

export default class Compare extends KvctlCommand {
  static override summary = 'tell whether one run is slower than another, or whether that is chance'
  static override description = [
    'Compares runs of one workload by their single requests: the ratio of medians and of p95, each with its 95 % interval from 2,000 draws of blocks of requests.',
    'FAIL: a figure is worse by more than --tolerance, and by more than chance, all figures considered. PASS: every interval ends within the tolerance. INCONCLUSIVE: the data cannot tell, or a run was limited by its client.',
    'Several runs of a side, joined by commas, count as several samples of it. With --gate, FAIL and INCONCLUSIVE leave with 5.',
  ].join('\n')
  static override examples = [
    '<%= config.bin %> <%= command.id %> runs/before runs/after',
    '<%= config.bin %> <%= command.id %> runs/a1,runs/a2,runs/a3,runs/a4 runs/b1,runs/b2,runs/b3,runs/b4 --gate',
    '<%= config.bin %> <%= command.id %> runs/before runs/after --metric ttft:p95 --tolerance 10 --json',
  ]
  static override enableJsonFlag = true
  static override args = {
    baseline: Args.string({description: 'run directory, or several joined by commas', required: true}),
    candidate: Args.string({description: 'run directory, or several joined by commas', required: true}),
  }
  static override flags = {
    metric: Flags.string({
      description:
        'what to compare, repeatable: ttft, tpot, e2e, ttft_sched or e2e_sched, with a percentile (default: the medians, and p95 of TTFT and E2E)',
      helpValue: 'NAME:pNN',
      multiple: true,
    }),
    tolerance: decimalFlag({description: 'how much worse a figure may be, in percent', min: 0, default: 5}),
    gate: Flags.boolean({description: 'leave with 5 on FAIL and on INCONCLUSIVE'}),
    'allow-inconclusive': Flags.boolean({
      description: 'with --gate: leave with 0 on INCONCLUSIVE',
      dependsOn: ['gate'],
    }),
    force: Flags.boolean({description: 'compare runs of different workloads all the same'}),
  }

  async run(): Promise<ComparisonJson> {
    const {args, flags} = await this.parse(Compare)
    const {compareRuns} = await import('../lib/analysis/index.js')
    const reading = createReadingLine()
    const open = (names: string) => openRuns(names, reading, ['requests'])
    const figures = flags.metric?.map(comparedFigureOf) ?? null
    const comparison = await compareRuns(await open(args.baseline), await open(args.candidate), {
      figures,
      tolerance: flags.tolerance / 100,
      isForced: flags.force,
    }).finally(() => reading.end())
    const {verdict} = comparison
    this.log(comparisonText(comparison))
    const isPassed = verdict === 'PASS' || (verdict === 'INCONCLUSIVE' && flags['allow-inconclusive'])
    if (flags.gate && !isPassed) {
      throw new ValidationError(
        'REGRESSION',
        `the comparison of ${args.candidate} with ${args.baseline} is ${verdict}`,
        {
          suggestions:
            verdict === 'FAIL'
              ? ['look at the figures that fail', '--tolerance allows more']
              : ['more requests, or several runs of each side', '--allow-inconclusive'],
        },
      )
    }
    return comparison
  }
}
