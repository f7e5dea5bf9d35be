/** The characters that a screen is made of. */
export interface Glyphs {
  readonly ellipsis: string
  readonly used: string
  /** A cell that is used in part, from 1/8 to 7/8; none: cells are whole. */
  readonly usedParts: readonly string[]
  readonly reserve: string
  readonly free: string
  readonly barStart: string
  readonly barEnd: string
  /** From lowest to highest. */
  readonly levels: readonly string[]
  readonly rule: string
  readonly dot: string
  readonly ascending: string
  readonly descending: string
  readonly pointer: string
  readonly caret: string
}

export const UNICODE: Glyphs = {
  ...{
    ellipsis: '…',
    used: '█',
    usedParts: Array.from('▏▎▍▌▋▊▉'),
    reserve: '▒',
    free: '·',
    barStart: '▕',
    barEnd: '▏',
  },
  ...{
    levels: Array.from('▁▂▃▄▅▆▇█'),
    rule: '─',
    dot: '·',
    ascending: '▲',
    descending: '▼',
    pointer: '▸',
    caret: '▏',
  },
}

/** kvcached's own characters. */
export const ASCII: Glyphs = {
  ...{ellipsis: '~', used: '#', usedParts: [], reserve: '=', free: '-', barStart: '[', barEnd: ']'},
  ...{
    levels: Array.from('_.-:=+*#'),
    rule: '-',
    dot: '|',
    ascending: '^',
    descending: 'v',
    pointer: '>',
    caret: '_',
  },
}

/** Whether this terminal's locale can show more than ASCII. */
export function canShowUnicode(environment: NodeJS.ProcessEnv): boolean {
  const locale = environment['LC_ALL'] || environment['LC_CTYPE'] || environment['LANG'] || ''
  return /utf-?8/i.test(locale) && environment['TERM'] !== 'linux'
}
