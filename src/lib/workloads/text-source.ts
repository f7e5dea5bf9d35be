import type {Random} from '../foundation/index.js'
import type {TextBlock} from './workload.js'

/** What makes up the texts of a workload. */
export interface TextSource {
  readonly random: Random
  /** A text that others may begin with too. */
  shared(index: number, tokens: number): TextBlock
  /** A text of one request alone. */
  own(index: number, tokens: number): TextBlock
}
