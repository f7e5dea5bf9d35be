import type {Dice} from './dice.js'
import type {Grammar} from './grammar.js'
import type {GrammarNode, ObjectNode, RepeatNode} from './node.js'

/** Beyond it only what ends soonest is said. */
const MAX_NESTING = 6
/** Where a grammar sets no limit: so many more than it asks for. */
export const MORE_ELEMENTS = 3
const PIECE_LENGTH = 256
/** One word in so many ends a text. */
const MEAN_WORDS = 5

export interface Speaker {
  readonly grammar: Grammar
  readonly dice: Dice
  /** ASCII letters only. */
  readonly words: readonly string[]
}

/**
 * A text of the grammar, piece by piece; between two pieces the dice may be loaded anew. Every text ends.
 *
 * @param level how deeply the node lies
 * @returns whether anything was said
 */
export function* speak(node: GrammarNode, level: number, speaker: Speaker): Generator<string, boolean> {
  const {grammar, dice} = speaker
  switch (node.kind) {
    case 'text':
      return yield* say(node.text)
    case 'choice':
      return yield* say(node.texts[dice.below(node.texts.length)]!)
    case 'number':
      return yield* say(node.numbers.at(dice.below(node.numbers.count)))
    case 'character':
      return yield* say(character(node, dice))
    case 'words':
      return yield* speakWords(node.min, node.max, speaker)
    case 'all': {
      let hasSpoken = false
      for (const part of node.parts) if (yield* speak(part, level, speaker)) hasSpoken = true
      return hasSpoken
    }
    case 'any': {
      const options = finite(node.options, level, grammar)
      return yield* speak(options[dice.below(options.length)]!, level, speaker)
    }
    case 'repeat':
      return yield* speakRepeat(node, level + 1, speaker)
    case 'object':
      return yield* speakObject(node, level + 1, speaker)
    case 'link':
      return yield* speak(node.target!, level + 1, speaker)
  }
}

/** The options that end; far down, those that end soonest. */
function finite(options: readonly GrammarNode[], level: number, grammar: Grammar): readonly GrammarNode[] {
  const least = Math.min(...options.map(option => grammar.depthOf(option)))
  const deepest = level < MAX_NESTING ? Number.MAX_VALUE : least
  return options.filter(option => grammar.depthOf(option) <= deepest)
}

/** Long texts in pieces, none of which ends within a character. */
function* say(said: string): Generator<string, boolean> {
  for (let at = 0; at < said.length;) {
    let end = Math.min(at + PIECE_LENGTH, said.length)
    if (end < said.length && isHighSurrogate(said.charCodeAt(end - 1))) end--
    yield said.slice(at, end)
    at = end
  }
  return said !== ''
}

function isHighSurrogate(code: number): boolean {
  return code >= 0xd800 && code <= 0xdbff
}

function character({points, isEscaped}: Extract<GrammarNode, {kind: 'character'}>, dice: Dice): string {
  let index = dice.below(points.reduce((sum, [from, to]) => sum + to - from + 1, 0))
  for (const [from, to] of points) {
    if (index <= to - from) {
      const said = String.fromCodePoint(from + index)
      return isEscaped ? JSON.stringify(said).slice(1, -1) : said
    }
    index -= to - from + 1
  }
  throw new RangeError('a character class without characters')
}

function* speakWords(min: number, max: number, {dice, words}: Speaker): Generator<string, boolean> {
  let length = 0
  while (length < max) {
    if (length > 0 && length >= min && dice.below(MEAN_WORDS) === 0) break
    const word = words[dice.below(words.length)]!
    const said = (length === 0 ? word : ` ${word}`).slice(0, max - length)
    length += said.length
    yield said
  }
  return length > 0
}

function* speakRepeat(node: RepeatNode, level: number, speaker: Speaker): Generator<string, boolean> {
  const {grammar, dice} = speaker
  const {part, separator, min, max} = node
  const isShort = level >= MAX_NESTING || grammar.depthOf(part) === Infinity
  const more = isShort ? 0 : Math.min(max - min, MORE_ELEMENTS)
  const count = min + dice.below(more + 1)
  for (let index = 0; index < count; index++) {
    if (index > 0) yield* say(separator)
    // Where the part says nothing, saying it more often says no more.
    if (!(yield* speak(part, level, speaker)) && separator === '') return index > 0
  }
  return count > 0
}

function* speakObject(node: ObjectNode, level: number, speaker: Speaker): Generator<string, boolean> {
  const {grammar, dice} = speaker
  const {members, extra, min, max} = node
  const canEnd = (part: GrammarNode): boolean => grammar.depthOf(part) < Infinity
  let count = 0
  let requiredLeft = members.filter(member => member.isRequired).length
  let optionalLeft = members.filter(member => !member.isRequired && canEnd(member.node)).length
  for (const {key, isRequired, node: value} of members) {
    if (isRequired) {
      requiredLeft--
    } else if (canEnd(value)) {
      const isNeeded = extra === null && count + requiredLeft + optionalLeft <= min
      const isWanted = level < MAX_NESTING && count + requiredLeft < max && dice.below(3) > 0
      optionalLeft--
      if (!isNeeded && !isWanted) continue
    } else continue
    yield* say(`${count === 0 ? '{' : ', '}${JSON.stringify(key)}: `)
    yield* speak(value, level, speaker)
    count++
  }
  if (extra !== null) {
    const isFree = members.length === 0 && level < MAX_NESTING && canEnd(extra)
    const wanted = Math.max(min, isFree ? Math.min(1 + dice.below(MORE_ELEMENTS), max) : 0)
    const keys = new Set(members.map(member => member.key))
    for (; count < wanted; count++) {
      const key = freshKey(keys, speaker)
      yield* say(`${count === 0 ? '{' : ', '}${JSON.stringify(key)}: `)
      yield* speak(extra, level, speaker)
    }
  }
  return yield* say(count === 0 ? '{}' : '}')
}

function freshKey(keys: Set<string>, {dice, words}: Speaker): string {
  const word = words[dice.below(words.length)]!
  let key = word
  for (let number = 2; keys.has(key); number++) key = `${word}_${number}`
  keys.add(key)
  return key
}
