import type {GateVerdict, JudgedObjective} from './judge.js'

/** What a run is called in files that others read. */
export interface GatedRun {
  readonly runId: string | null
  readonly path: string
}

/** JUnit XML with one test case an objective: what fails has a `failure`, what is undecided or skipped a `skipped`. */
export function junitXml({objectives}: GateVerdict, {runId, path}: GatedRun): string {
  const count = (wanted: readonly string[]): number =>
    objectives.filter(({verdict}) => wanted.includes(verdict)).length
  const [failures, skipped] = [count(['FAIL']), count(['INCONCLUSIVE', 'SKIPPED'])]
  const totals = `tests="${objectives.length}" failures="${failures}" errors="0" skipped="${skipped}"`
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites name="kvctl" ${totals}>`,
    `  <testsuite name="kvctl.slo" ${totals}>`,
    '    <properties>',
    `      <property name="run_id" value="${escaped(runId ?? '')}"/>`,
    `      <property name="results" value="${escaped(path)}"/>`,
    '    </properties>',
    ...objectives.flatMap(testCase),
    '  </testsuite>',
    '</testsuites>',
    '',
  ].join('\n')
}

function testCase({objective, verdict, reason}: JudgedObjective): string[] {
  const head = `    <testcase classname="kvctl.slo" name="${escaped(objective.text)}"`
  if (verdict === 'PASS') return [`${head}/>`]
  const element = verdict === 'FAIL' ? 'failure' : 'skipped'
  const message = verdict === 'INCONCLUSIVE' ? `inconclusive: ${reason}` : reason
  return [`${head}>`, `      <${element} message="${escaped(message)}"/>`, '    </testcase>']
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
}

function escaped(text: string): string {
  // XML 1.0 has no control characters, not even as references.

  return text
    .replaceAll(/[\u0000-\u0008\u000b\u000c\u000e-\u001f]/g, '')
    .replaceAll(/[&<>"']/g, one => ENTITIES[one]!)
}
