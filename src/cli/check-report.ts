import type {DoctorJson} from '../lib/doctor/index.js'
import {breakLines} from './break-lines.js'

const COLORS = {ok: '\u001B[32m', warn: '\u001B[33m', fail: '\u001B[31m', skipped: '\u001B[2m'} as const
const RESET = '\u001B[0m'
const WORDS = {ok: 'ok', warn: 'warnings', fail: 'failures', skipped: 'skipped'} as const

/** Narrower than this, lines are not broken. */
const LEAST_TEXT_COLUMNS = 40

/**
 * Each finding with its fix below it, and the count of each kind at the end.
 *
 * @param columns where lines break; null leaves each whole, one a finding
 */
export function checkReport(
  {checks, summary}: DoctorJson,
  hasColor: boolean,
  columns: number | null,
): string {
  const width = Math.max(...checks.map(({name}) => name.length))
  const indent = ' '.repeat(width + 11)
  const room = columns === null ? Infinity : columns - indent.length
  const wrapped = (text: string, hanging: string): string =>
    breakLines(text, room < LEAST_TEXT_COLUMNS ? Infinity : room).join(`\n${indent}${hanging}`)
  const lines = checks.flatMap(({name, status, detail, fix}) => {
    const word = hasColor ? `${COLORS[status]}${status.padEnd(7)}${RESET}` : status.padEnd(7)
    const found = `${word}  ${name.padEnd(width)}  ${wrapped(detail, '')}`
    return fix === null ? [found] : [found, `${indent}${wrapped(`→ ${fix}`, '  ')}`]
  })
  const counts = (['ok', 'warn', 'fail', 'skipped'] as const).map(status => {
    const count = summary[status]
    return `${count} ${count === 1 ? WORDS[status].replace(/s$/, '') : WORDS[status]}`
  })
  return [...lines, '', counts.join(', ')].join('\n')
}
