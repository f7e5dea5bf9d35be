import type {DoctorJson} from '../lib/doctor/index.js'

const COLORS = {ok: '\u001B[32m', warn: '\u001B[33m', fail: '\u001B[31m', skipped: '\u001B[2m'} as const
const RESET = '\u001B[0m'
const WORDS = {ok: 'ok', warn: 'warnings', fail: 'failures', skipped: 'skipped'} as const

/** One line a finding, its fix below it, and the count of each at the end. */
export function checkReport({checks, summary}: DoctorJson, hasColor: boolean): string {
  const width = Math.max(...checks.map(({name}) => name.length))
  const lines = checks.flatMap(({name, status, detail, fix}) => {
    const word = hasColor ? `${COLORS[status]}${status.padEnd(7)}${RESET}` : status.padEnd(7)
    const found = `${word}  ${name.padEnd(width)}  ${detail}`
    return fix === null ? [found] : [found, `${' '.repeat(9)}${' '.repeat(width)}  → ${fix}`]
  })
  const counts = (['ok', 'warn', 'fail', 'skipped'] as const).map(status => {
    const count = summary[status]
    return `${count} ${count === 1 ? WORDS[status].replace(/s$/, '') : WORDS[status]}`
  })
  return [...lines, '', counts.join(', ')].join('\n')
}
