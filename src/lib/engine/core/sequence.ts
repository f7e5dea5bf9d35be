import type {GenerationRequest, TokenGuide} from './generation.js'

/** A request on its way through the scheduler. Only the scheduler changes it. */
export class Sequence {
  readonly request: GenerationRequest
  /** Where the answer's form is now. Kept through preemption, because the tokens said are kept too. */
  readonly guide: TokenGuide | null
  /** Order of arrival; ties of priority go to the smaller. */
  readonly arrival: number
  readonly arrivalNs: number
  /** Prompt, then what was generated. */
  readonly tokens: number[]
  /** Block ids by position; grows with the tokens. */
  readonly blocks: number[] = []
  /** Hashes of the full blocks known so far. */
  readonly hashes: string[] = []
  /** Tokens that are in the KV cache, those of the step under way included. */
  computedTokens = 0
  /** Leading blocks that are published in the prefix cache. */
  publishedBlocks = 0
  preemptions = 0
  /** Found in the prefix cache at first admission; null before it. */
  cachedTokens: number | null = null
  status: 'waiting' | 'running' | 'preempted' | 'finished' = 'waiting'
  firstScheduledNs: number | null = null
  firstTokenNs: number | null = null
  lastTokenNs: number | null = null

  constructor(request: GenerationRequest, arrival: number, arrivalNs: number) {
    this.request = request
    this.arrival = arrival
    this.arrivalNs = arrivalNs
    this.tokens = [...request.promptTokens]
    this.guide = request.startGuide?.() ?? null
  }

  get id(): string {
    return this.request.id
  }

  get promptLength(): number {
    return this.request.promptTokens.length
  }

  get generatedTokens(): number {
    return this.tokens.length - this.request.promptTokens.length
  }
}
