import type {Engine} from '../lib/engine/index.js'

/** What the HTTP surface asks of an engine. */
export type ServedEngine = Pick<
  Engine,
  'maxModelLen' | 'submit' | 'stats' | 'observe' | 'lookup' | 'resetPrefixCache'
> & {
  /** A document of its insides. */
  state(): object
}
