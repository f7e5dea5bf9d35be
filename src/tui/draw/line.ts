/** What a piece of text means; `paint.ts` says how that looks. */
export type Tone = 'title' | 'strong' | 'dim' | 'good' | 'warn' | 'bad' | 'reserve' | 'accent'

export interface Span {
  readonly text: string
  readonly tone?: Tone | undefined
}

/** One line of the screen. */
export interface Line {
  readonly spans: readonly Span[]
  readonly isSelected?: boolean
}

export const BLANK: Line = {spans: []}

export function span(text: string, tone?: Tone): Span {
  return {text, tone}
}

export function line(...spans: readonly Span[]): Line {
  return {spans}
}

/** Tone of a share of memory, as kvcached colours it: green below 50 %, yellow below 80 %, else red. */
export function toneOfPercent(percent: number | null): Tone | undefined {
  if (percent === null) return undefined
  if (percent < 50) return 'good'
  return percent < 80 ? 'warn' : 'bad'
}
