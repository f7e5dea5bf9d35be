/** What a text may look like. Nodes may refer to each other in cycles, through links. */
export type GrammarNode =
  | {readonly kind: 'text'; readonly text: string}
  /** One of some texts; as many as a schema lists, at the price of one node. */
  | {readonly kind: 'choice'; readonly texts: readonly string[]}
  | {readonly kind: 'all'; readonly parts: readonly GrammarNode[]}
  | {readonly kind: 'any'; readonly options: readonly GrammarNode[]}
  | RepeatNode
  | {readonly kind: 'character'; readonly points: CodePoints; readonly isEscaped: boolean}
  /** Words without anything to escape, from `min` to `max` characters in all. */
  | {readonly kind: 'words'; readonly min: number; readonly max: number}
  | {readonly kind: 'number'; readonly numbers: NumberSet}
  | ObjectNode
  | LinkNode

export interface RepeatNode {
  readonly kind: 'repeat'
  readonly part: GrammarNode
  readonly separator: string
  readonly min: number
  /** Infinity is no limit. */
  readonly max: number
}

export interface ObjectNode {
  readonly kind: 'object'
  readonly members: readonly {
    readonly key: string
    readonly isRequired: boolean
    readonly node: GrammarNode
  }[]
  /** What members without a name of their own hold; null forbids them. */
  readonly extra: GrammarNode | null
  readonly min: number
  readonly max: number
}

/** Stands for a node that is still being made. */
export interface LinkNode {
  readonly kind: 'link'
  target: GrammarNode | null
}

/** Ranges of code points, both ends included. */
export type CodePoints = readonly (readonly [from: number, to: number])[]

/** Numbers to choose from, by index. */
export interface NumberSet {
  readonly count: number
  at(index: number): string
}

export const text = (said: string): GrammarNode => ({kind: 'text', text: said})
export const choice = (texts: readonly string[]): GrammarNode => ({kind: 'choice', texts})
export const all = (...parts: GrammarNode[]): GrammarNode => ({kind: 'all', parts})
export const any = (options: readonly GrammarNode[]): GrammarNode =>
  options.length === 1 ? options[0]! : {kind: 'any', options}
export const repeat = (part: GrammarNode, separator: string, min: number, max: number): GrammarNode => ({
  kind: 'repeat',
  part,
  separator,
  min,
  max,
})
