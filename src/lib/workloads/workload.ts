/** Words drawn from `seed`, as many as make about `tokens` tokens: equal seeds and tokens are equal text. */
export interface TextBlock {
  readonly seed: number
  readonly tokens: number
}

export interface MadeMessage {
  readonly role: 'system' | 'user' | 'assistant' | 'tool'
  readonly blocks: readonly TextBlock[]
  /** Of an assistant: its text is what it asks this tool; of a tool: the call that it answers. */
  readonly call?: string
}

/** What one request says: made up to a length, or given by a file as it is. */
export type Content =
  | {readonly kind: 'made'; readonly messages: readonly MadeMessage[]}
  | {readonly kind: 'messages'; readonly messages: readonly object[]}
  | {readonly kind: 'text'; readonly text: string}

/** One request of a workload, beyond what all of them share. */
export interface WorkItem {
  readonly content: Content
  /** Length of its answer; null takes the run's. */
  readonly maxTokens: number | null
  /** Merged over the body last; null for nothing of its own. */
  readonly extraBody: Readonly<Record<string, unknown>> | null
  /** 0 begins a session; any other comes after the answer to the item before it. */
  readonly turn: number
  /** True where the answers to its earlier turns are the server's own, known only then. */
  readonly isLive?: boolean
  /** How long a turn waits after the answer before it. */
  readonly delayMs: number
  /** On whose behalf it is sent. */
  readonly tenant?: string | null
}

/** Requests in the order of the schedule; the turns of a session stand together. */
export interface Workload {
  readonly items: readonly WorkItem[]
  /** When each session begins, ms since the first, ascending; null when the data set has no times. */
  readonly timesMs: Float64Array<ArrayBuffer> | null
}

/** Whether answers have to be kept for the requests after them. */
export function answersOf({items}: Workload): boolean {
  return items.some(({isLive}) => isLive === true)
}

/** How many requests each session has, in order. */
export function sessionLengths({items}: Workload): number[] {
  const lengths: number[] = []
  for (const {turn} of items) {
    if (turn === 0) lengths.push(1)
    else lengths[lengths.length - 1]!++
  }
  return lengths
}
