import type {GateVerdict, JudgedObjective} from './judge.js'
import type {GatedRun} from './junit.js'

/** A Markdown table, as GitHub's step summary shows it. */
export function gateMarkdown({verdict, objectives}: GateVerdict, {runId, path}: GatedRun): string {
  const rows = objectives.map(
    one => `| ${one.verdict} | \`${cell(one.objective.text)}\` | ${cell(one.reason)} |`,
  )
  return [
    `### kvctl gate: ${verdict}`,
    '',
    `Run ${cell(runId ?? path)}`,
    '',
    '| verdict | objective | measured |',
    '|---|---|---|',
    ...rows,
    '',
    '',
  ].join('\n')
}

/** Workflow commands by which GitHub marks what failed. */
export function githubErrors({objectives}: GateVerdict): string[] {
  return objectives
    .filter(({verdict}) => verdict === 'FAIL')
    .map(({objective, reason}) => `::error title=SLO missed::${commandData(`${objective.text}: ${reason}`)}`)
}

/** OpenMetrics text, which GitLab compares between a branch and its target. */
export function gateOpenMetrics({objectives}: GateVerdict): string {
  const samples = (name: string, valueOf: (one: JudgedObjective) => number | null): string[] => [
    `# TYPE ${name} gauge`,
    ...objectives.flatMap(one => {
      const value = valueOf(one)
      return value === null ? [] : `${name}{objective="${label(one.objective.text)}"} ${value}`
    }),
  ]
  return [
    ...samples('kvctl_slo_value', ({figure}) => figure.value),
    ...samples('kvctl_slo_limit', ({objective}) => objective.limit),
    ...samples('kvctl_slo_passed', ({verdict}) => (verdict === 'PASS' ? 1 : 0)),
    '# EOF',
    '',
  ].join('\n')
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll(/[\r\n]+/g, ' ')
}

/** @see docs.github.com, workflow commands: percent signs and line ends are escaped */
function commandData(text: string): string {
  return text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A')
}

function label(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
}
