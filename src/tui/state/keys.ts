/** A key as the terminal names it: a character, or a word such as `up`, `enter`, `ctrl-c`. */
export type KeyName = string

export type Intent =
  | 'quit'
  | 'help'
  | 'overview'
  | 'segments'
  | 'gpus'
  | 'engines'
  | 'processes'
  | 'tiers'
  | 'models'
  | 'next-table'
  | 'previous-table'
  | 'up'
  | 'down'
  | 'page-up'
  | 'page-down'
  | 'first'
  | 'last'
  | 'sort-next'
  | 'sort-previous'
  | 'sort-reverse'
  | 'filter'
  | 'details'
  | 'pause'
  | 'limit'
  | 'restore'
  | 'delete'
  | 'prune'
  | 'sleep'
  | 'wake'
  | 'undo'
  | 'back'

export interface KeyBinding {
  readonly intent: Intent
  /** The first one is shown at the foot of the screen. */
  readonly keys: readonly KeyName[]
  /** For the help overlay. */
  readonly does: string
  /** For the foot of the screen, where there is room; absent: only in help. */
  readonly short?: string
  /** What must be selected to make it worth a place at the foot. */
  readonly on?: 'segment' | 'sleeper'
}

/** The one table of keys: help, the foot of the screen, the reducer and the tests read it. */
export const KEYS: readonly KeyBinding[] = [
  {intent: 'quit', keys: ['q', 'Q', 'ctrl-c'], does: 'quit', short: 'quit'},
  {intent: 'help', keys: ['?', 'h'], does: 'show or hide this help', short: 'help'},
  {intent: 'filter', keys: ['/'], does: 'show only rows that contain a text', short: 'filter'},
  {intent: 'sort-next', keys: ['>', '.'], does: 'sort by the next column', short: 'sort'},
  {intent: 'sort-previous', keys: ['<', ','], does: 'sort by the column before'},
  {intent: 'sort-reverse', keys: ['r', 'I'], does: 'reverse the order'},
  {
    intent: 'details',
    keys: ['enter', 'i'],
    does: 'show or hide everything about the selected row',
    short: 'details',
  },
  {intent: 'pause', keys: ['space', 'p'], does: 'stop and go on', short: 'pause'},
  {
    ...{intent: 'limit', keys: ['l'], does: 'set the limit of the selected segment'},
    ...{short: 'limit', on: 'segment'},
  },
  {intent: 'restore', keys: ['R'], does: 'set it back to its start-up total'},
  {intent: 'delete', keys: ['d'], does: 'delete the selected segment', short: 'delete', on: 'segment'},
  {
    ...{intent: 'prune', keys: ['P'], does: 'delete every segment whose engine is proven dead'},
    ...{short: 'prune', on: 'segment'},
  },
  {
    ...{intent: 'sleep', keys: ['s'], does: 'put the selected engine or model to sleep'},
    ...{short: 'sleep', on: 'sleeper'},
  },
  {intent: 'wake', keys: ['w'], does: 'wake the selected engine or model', short: 'wake', on: 'sleeper'},
  {
    intent: 'undo',
    keys: ['u'],
    does: 'take back the last change of a limit, sleep or wake-up',
    short: 'undo',
  },
  {intent: 'up', keys: ['up', 'k'], does: 'select the row above'},
  {intent: 'down', keys: ['down', 'j'], does: 'select the row below'},
  {intent: 'page-up', keys: ['pageup', 'ctrl-b'], does: 'ten rows up'},
  {intent: 'page-down', keys: ['pagedown', 'ctrl-f'], does: 'ten rows down'},
  {intent: 'first', keys: ['home', 'g'], does: 'select the first row'},
  {intent: 'last', keys: ['end', 'G'], does: 'select the last row'},
  {intent: 'next-table', keys: ['tab'], does: 'go to the next table'},
  {intent: 'previous-table', keys: ['shift-tab'], does: 'go to the table before'},
  {intent: 'overview', keys: ['1'], does: 'show everything'},
  {intent: 'segments', keys: ['2'], does: 'show segments only'},
  {intent: 'gpus', keys: ['3'], does: 'show GPUs only'},
  {intent: 'engines', keys: ['4'], does: 'show engines only'},
  {intent: 'processes', keys: ['5'], does: 'show processes only'},
  {intent: 'tiers', keys: ['6'], does: 'show the tiers of cache workers only'},
  {intent: 'models', keys: ['7'], does: 'show the models of a controller only'},
  {intent: 'back', keys: ['escape'], does: 'drop the filter, close what is open'},
]

const BY_KEY: ReadonlyMap<KeyName, Intent> = new Map(
  KEYS.flatMap(({intent, keys}) => keys.map(key => [key, intent] as const)),
)

export function intentOf(key: KeyName): Intent | null {
  return BY_KEY.get(key) ?? null
}
