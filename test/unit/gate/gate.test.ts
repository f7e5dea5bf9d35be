import {writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {expect} from 'chai'
import {
  findFigure,
  gatedResultsOf,
  gateMarkdown,
  gateOpenMetrics,
  githubErrors,
  judgeRun,
  junitXml,
  parseObjective,
  readGatedResults,
  readSloFile,
  type GatedResults,
} from '../../../src/lib/gate/index.js'
import {rejection} from '../../support/rejection.js'
import {temporaryFolder} from '../../support/temporary.js'

/** p95 of TTFT between 470 and 530 ms by 1,000 requests; nothing bounds p99 from above. */
const RESULTS: GatedResults = {
  run_id: 'r1',
  p95_ms: 900,
  ttft_p95_ms: 500,
  error_rate: 0.01,
  cold_p95_ms: 1500,
  warm_p95_ms: 700,
  cost_per_1k_output_tokens: 0.0004,
  metrics: {
    ttft: {
      ...{unit: 'ms', count: 1000, mean: 300, p95: 500, p99: 650},
      ci95: {p95: [470, 530], p99: [600, null]},
      too_few_for: ['p99'],
    },
    request_throughput: {unit: 'requests/s', value: 12},
    error_rate: {unit: 'ratio', value: 0.01},
    goodput: {unit: 'requests/s', value: null},
  },
}

function verdicts(results: GatedResults, ...texts: string[]): string[] {
  return judgeRun(results, texts.map(parseObjective), {allowsMissing: false}).objectives.map(
    ({verdict}) => verdict,
  )
}

describe('objectives', () => {
  it('are read from their short form, with units', () => {
    const limits = [
      'p95(ttft) <= 500ms',
      'p95(ttft) <= 0.5s',
      'error_rate < 0.5%',
      'goodput ≥ 12 /s',
      'x > 3',
    ]
    expect(
      limits
        .map(parseObjective)
        .map(({metric, statistic, operator, limit}) => [metric, statistic, operator, limit]),
    ).to.deep.equal([
      ['ttft', 'p95', '<=', 500],
      ['ttft', 'p95', '<=', 500],
      ['error_rate', null, '<', 0.005],
      ['goodput', null, '>=', 12],
      ['x', null, '>', 3],
    ])
    expect(parseObjective('p99.9(e2e) <= 1s').statistic).to.equal('p99_9')
    expect(parseObjective('avg(e2e) <= 1s').statistic).to.equal('mean')
  })

  for (const text of [
    '',
    'fast',
    'ttft <= fast',
    'p95(ttft) = 5',
    'mode(ttft) <= 5',
    'ttft <= 5 parsecs',
    'p95(ttft <= 5',
  ])
    it(`are not '${text}'`, () => {
      expect(() => parseObjective(text))
        .to.throw()
        .with.property('code', 'SLO_INVALID')
    })

  it('must limit a figure by a unit that fits it', () => {
    expect(() => verdicts(RESULTS, 'p95(ttft) <= 5%')).to.throw(/limits a figure in ms by a share/)
    expect(() => verdicts(RESULTS, 'request_throughput >= 5ms')).to.throw(/requests\/s by a time/)
  })
})

describe('a gate', () => {
  it('lets the whole interval decide', () => {
    // 470…530: below 530 all of it, above 470 none of it, and between nobody knows.
    const texts = [
      'p95(ttft) <= 530',
      'p95(ttft) <= 529',
      'p95(ttft) <= 470',
      'p95(ttft) < 470',
      'p95(ttft) >= 470',
    ]
    expect(verdicts(RESULTS, ...texts)).to.deep.equal([
      'PASS',
      'INCONCLUSIVE',
      'INCONCLUSIVE',
      'FAIL',
      'PASS',
    ])
    expect(verdicts(RESULTS, 'p95(ttft) > 530', 'ttft_p95_ms <= 529')).to.deep.equal(['FAIL', 'INCONCLUSIVE'])
  })

  it('never passes a percentile whose upper end no sample bounds', () => {
    expect(verdicts(RESULTS, 'p99(ttft) <= 9999', 'p99(ttft) <= 599')).to.deep.equal(['INCONCLUSIVE', 'FAIL'])
  })

  it('judges a single number by itself', () => {
    const texts = [
      'request_throughput >= 12/s',
      'request_throughput > 12/s',
      'error_rate <= 1%',
      'error_rate < 1%',
      'success_rate >= 99%',
    ]
    expect(verdicts(RESULTS, ...texts)).to.deep.equal(['PASS', 'FAIL', 'PASS', 'FAIL', 'PASS'])
  })

  it('knows figures that are made of two: 1500 / 700 and 0.0004 · 1000', () => {
    expect(findFigure(RESULTS, parseObjective('cold_multiplier <= 3')).value).to.be.closeTo(2.142_857, 1e-6)
    expect(findFigure(RESULTS, parseObjective('cost_per_1m_output <= 1')).value).to.equal(0.4)
  })

  it('fails what the run does not have, or skips it when told to', () => {
    expect(verdicts(RESULTS, 'goodput >= 1/s', 'p95(nothing) <= 5', 'nothing <= 5')).to.deep.equal([
      'FAIL',
      'FAIL',
      'FAIL',
    ])
    const {verdict, objectives} = judgeRun(RESULTS, ['goodput >= 1', 'error_rate <= 1'].map(parseObjective), {
      allowsMissing: true,
    })
    expect([verdict, ...objectives.map(one => one.verdict)]).to.deep.equal(['PASS', 'SKIPPED', 'PASS'])
  })

  it('does not blame the server for a load generator at its limit', () => {
    const limited = {...RESULTS, client_limited: true}
    const texts = ['p95(ttft) < 470', 'request_throughput > 12', 'error_rate < 1%', 'p95(ttft) <= 530']
    expect(verdicts(limited, ...texts)).to.deep.equal([
      'INCONCLUSIVE',
      'INCONCLUSIVE',
      'FAIL',
      'INCONCLUSIVE',
    ])
  })

  it('does not pass a run that never stood still', () => {
    const unstable = {...RESULTS, stability: {is_unstable: true}}
    expect(verdicts(unstable, 'p95(ttft) <= 530', 'p95(ttft) < 400', 'error_rate <= 1%')).to.deep.equal([
      'INCONCLUSIVE',
      'FAIL',
      'PASS',
    ])
  })

  it('counts times from the schedule where requests had one, unless it is asked for the service alone', () => {
    const sched = {unit: 'ms', p95: 900, count: 100, ci95: {p95: [880, 950]}}
    const open = gatedResultsOf({...RESULTS, mode: 'open', metrics: {...RESULTS.metrics, ttft_sched: sched}})
    const judged = judgeRun(
      open,
      ['p95(ttft) <= 530ms', 'p95(ttft) <= 530ms on service'].map(parseObjective),
      {
        allowsMissing: false,
      },
    )
    expect(judged.objectives.map(({verdict}) => verdict)).to.deep.equal(['FAIL', 'PASS'])
    expect(judged.objectives[0]!.reason).to.equal(
      '900 ms > 530 ms (95 % CI 880…950, n=100, from the schedule)',
    )
    const closed = {...open, mode: 'closed'}
    expect(verdicts(closed, 'p95(ttft) <= 530ms')).to.deep.equal(['PASS'])
  })

  it('judges a single figure by its interval where it has one', () => {
    const measure = {unit: 'requests/s', value: 12, ci95: [11.5, 12.5]}
    const results = gatedResultsOf({metrics: {request_throughput: measure}})
    const texts = ['request_throughput >= 11', 'request_throughput >= 12', 'request_throughput >= 13']
    expect(verdicts(results, ...texts)).to.deep.equal(['PASS', 'INCONCLUSIVE', 'FAIL'])
  })

  it('refuses a distribution of which no part is named', () => {
    expect(() => verdicts(RESULTS, 'ttft <= 500ms')).to.throw(
      "'ttft <= 500ms' does not say which part of ttft",
    )
  })

  it('is as bad as its worst objective', () => {
    const whole = (...texts: string[]): string =>
      judgeRun(RESULTS, texts.map(parseObjective), {allowsMissing: false}).verdict
    expect(whole('error_rate <= 1%', 'p95(ttft) <= 530')).to.equal('PASS')
    expect(whole('error_rate <= 1%', 'p95(ttft) <= 500')).to.equal('INCONCLUSIVE')
    expect(whole('p95(ttft) <= 500', 'error_rate < 1%')).to.equal('FAIL')
  })

  it('says the numbers that decided', () => {
    const [judged] = judgeRun(RESULTS, [parseObjective('p95(ttft) <= 400ms')], {
      allowsMissing: false,
    }).objectives
    expect(judged!.reason).to.equal('500 ms > 400 ms (95 % CI 470…530, n=1000)')
  })
})

describe('a file of objectives', () => {
  const folder = temporaryFolder()
  const file = (text: string): string => {
    const path = join(folder(), 'slo.yaml')
    writeFileSync(path, text)
    return path
  }

  it('has short forms and entries, as a list or under a key', async () => {
    const entry = '{metric: ttft, stat: p95, op: <=, value: 0.5, unit: s, on: user}'
    const list = await readSloFile(file(`- error_rate < 1%\n- ${entry}\n`))
    expect(list.map(({text}) => text)).to.deep.equal(['error_rate < 1%', 'p95(ttft_sched) <= 0.5s'])
    expect(list[1]!.limit).to.equal(500)
    expect(await readSloFile(file(`objectives:\n  - error_rate < 1%\n  - ${entry}\n`))).to.deep.equal(list)
    const run = await readSloFile(file('[{metric: request_throughput, op: ">=", value: 5, window: run}]'))
    expect(run[0]!.metric).to.equal('run_request_throughput')
  })

  for (const [what, text, line] of [
    ['a bad short form', 'objectives:\n  - error_rate < 1%\n  - fast\n', 3],
    ['an unknown key', 'p95_ms: 5\np96_ms: 5\n', 2],
    ['a bad entry', '- error_rate < 1%\n- {metric: ttft, op: "=", value: 5}\n', 2],
    ['no objective', '{}\n', null],
  ] as const)
    it(`is refused for ${what}${line === null ? '' : ', with its line'}`, async () => {
      const path = file(text)
      const error = (await rejection(readSloFile(path))) as Error
      expect(error).to.have.property('code', 'SLO_INVALID')
      expect(error.message).to.include(line === null ? path : `${path}:${line}`)
    })

  // The two results of Siryoos/kserve-vllm-mini:tests/data, figure by figure.
  const budgets =
    '{"p95_ms": 1200, "error_rate": 0.02, "$per_1k_tokens": 0.05, "cold_multiplier_max": 3.0, "Wh_per_1k_tokens_max": 50}'
  const flat = (
    p95: number,
    errors: number,
    cost: number,
    cold: number,
    warm: number,
    energy: number,
  ): string =>
    JSON.stringify({
      ...{p95_ms: p95, error_rate: errors, cost_per_1k_tokens: cost, cold_p95_ms: cold},
      ...{warm_p95_ms: warm, energy_wh_per_1k_tokens: energy},
    })
  for (const [name, text, expected] of [
    ['good', flat(800, 0.005, 0.02, 1500, 700, 18), 'PASS'],
    ['bad', flat(2500, 0.08, 0.15, 4000, 1000, 80), 'FAIL'],
  ] as const)
    it(`may be upstream's budgets, all five of which the ${name} result ${expected === 'PASS' ? 'keeps' : 'breaks'}`, async () => {
      const path = join(folder(), 'results.json')
      writeFileSync(path, text)
      const {objectives} = judgeRun(await readGatedResults(path), await readSloFile(file(budgets)), {
        allowsMissing: false,
      })
      expect(objectives.map(({verdict}) => verdict)).to.deep.equal(Array<string>(5).fill(expected))
    })

  it('may have budgets of fairness, which a run without tenants fails', async () => {
    const [objective] = await readSloFile(file('fairness: {tenant_p95_ms_max: 1200}'))
    expect(judgeRun(RESULTS, [objective!], {allowsMissing: false}).objectives[0]).to.include({
      verdict: 'FAIL',
      reason: 'the run has no tenant_p95_ms',
    })
  })
})

describe('pages of a gate', () => {
  const texts = ['error_rate <= 1%', 'p95(ttft) < 470ms', 'p95(ttft) <= 500ms']
  const verdict = judgeRun(RESULTS, texts.map(parseObjective), {allowsMissing: false})
  const run = {runId: 'a<b', path: 'runs/"x"'}

  it('are JUnit XML with a failure for what failed and skipped for what is undecided', () => {
    expect(junitXml(verdict, run)).to.equal(`<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="kvctl" tests="3" failures="1" errors="0" skipped="1">
  <testsuite name="kvctl.slo" tests="3" failures="1" errors="0" skipped="1">
    <properties>
      <property name="run_id" value="a&lt;b"/>
      <property name="results" value="runs/&quot;x&quot;"/>
    </properties>
    <testcase classname="kvctl.slo" name="error_rate &lt;= 1%"/>
    <testcase classname="kvctl.slo" name="p95(ttft) &lt; 470ms">
      <failure message="500 ms &gt;= 470 ms (95 % CI 470…530, n=1000)"/>
    </testcase>
    <testcase classname="kvctl.slo" name="p95(ttft) &lt;= 500ms">
      <skipped message="inconclusive: 500 ms &lt;= 500 ms (95 % CI 470…530, n=1000)"/>
    </testcase>
  </testsuite>
</testsuites>
`)
  })

  it('are Markdown, errors of GitHub and OpenMetrics', () => {
    expect(gateMarkdown(verdict, run))
      .to.include('### kvctl gate: FAIL\n')
      .and.include('| FAIL | `p95(ttft) < 470ms` |')
    expect(githubErrors(verdict)).to.deep.equal([
      '::error title=SLO missed::p95(ttft) < 470ms: 500 ms >= 470 ms (95 %25 CI 470…530, n=1000)',
    ])
    expect(gateOpenMetrics(verdict).split('\n')).to.include.members([
      'kvctl_slo_value{objective="error_rate <= 1%"} 0.01',
      'kvctl_slo_limit{objective="p95(ttft) < 470ms"} 470',
      'kvctl_slo_passed{objective="p95(ttft) <= 500ms"} 0',
      '# EOF',
    ])
  })
})
