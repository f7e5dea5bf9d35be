import type {Engine} from '../lib/engine/index.js'

/** What the HTTP surface asks of an engine. */
export type ServedEngine = Pick<
  Engine,
  | 'isServing'
  | 'lookup'
  | 'maxModelLen'
  | 'observe'
  | 'resetPrefixCache'
  | 'sleep'
  | 'state'
  | 'stats'
  | 'submit'
  | 'wakeUp'
>
