import {invalid} from './grammar.js'
import {all, any, repeat, text, type CodePoints, type GrammarNode} from './node.js'

type Range = readonly [from: number, to: number]

const PRINTABLE: CodePoints = [[0x20, 0x7e]]
const LAST_POINT = 0x10ffff
const SURROGATES: Range = [0xd800, 0xdfff]
const DIGITS: CodePoints = [[0x30, 0x39]]
const WORD: CodePoints = [
  [0x61, 0x7a],
  [0x41, 0x5a],
  [0x30, 0x39],
  [0x5f, 0x5f],
]
const BLANK: CodePoints = [[0x20, 0x20]]
const CLASSES: Readonly<Record<string, CodePoints>> = {d: DIGITS, w: WORD, s: BLANK}
/** All that `\s` matches, which its negation leaves out. */
const NEGATED: Readonly<Record<string, CodePoints>> = {
  D: DIGITS,
  W: WORD,
  S: [
    [0x9, 0xd],
    [0x20, 0x20],
    [0xa0, 0xa0],
    [0x1680, 0x1680],
    [0x2000, 0x200a],
    [0x2028, 0x2029],
    [0x202f, 0x202f],
    [0x205f, 0x205f],
    [0x3000, 0x3000],
    [0xfeff, 0xfeff],
  ],
}
const CONTROLS: Readonly<Record<string, string>> = {t: '\t', n: '\n', r: '\r', f: '\f', v: '\v', '0': '\0'}
const MAX_NESTING = 100
const MAX_REPEATS = 1e6

/**
 * A regular expression as a grammar of texts that match it as a whole: literals, classes, groups, alternatives, quantifiers
 * and anchors at its ends. Characters are printable ASCII wherever the expression leaves the choice.
 *
 * @param isEscaped the texts stand inside a JSON string
 * @throws ConfigurationError for what is no expression, or needs more than this: lookaround, back references, `\b`, `\p`
 */
export function patternGrammar(source: string, isEscaped: boolean): GrammarNode {
  return new PatternReader(source, isEscaped).read()
}

class PatternReader {
  readonly #points: readonly string[]
  readonly #isEscaped: boolean
  #at = 0
  #nesting = 0

  constructor(source: string, isEscaped: boolean) {
    this.#points = Array.from(source)
    this.#isEscaped = isEscaped
  }

  read(): GrammarNode {
    const node = this.#alternatives()
    if (this.#at < this.#points.length) throw this.#wrong(`unexpected '${this.#peek()}'`)
    return node
  }

  #alternatives(): GrammarNode {
    if (++this.#nesting > MAX_NESTING) throw this.#wrong('it nests too deeply')
    const options = [this.#sequence()]
    while (this.#take('|')) options.push(this.#sequence())
    this.#nesting--
    return any(options)
  }

  #sequence(): GrammarNode {
    const parts: GrammarNode[] = []
    const isOutermost = this.#nesting === 1
    if (isOutermost) this.#take('^')
    while (this.#at < this.#points.length && this.#peek() !== '|' && this.#peek() !== ')') {
      if (isOutermost && this.#peek() === '$' && [undefined, '|'].includes(this.#points[this.#at + 1])) {
        this.#at++
        break
      }
      parts.push(this.#quantified(this.#atom()))
    }
    return parts.length === 1 ? parts[0]! : all(...parts)
  }

  #atom(): GrammarNode {
    const point = this.#next()
    switch (point) {
      case '(':
        return this.#group()
      case '[':
        return this.#characters(this.#class())
      case '.':
        return this.#characters(PRINTABLE)
      case '\\': {
        const escape = this.#escape()
        return typeof escape === 'string' ? this.#literal(escape) : this.#characters(escape)
      }
      case '^':
      case '$':
        throw this.#wrong(`'${point}' inside an expression is not supported`)
      case '*':
      case '+':
      case '?':
        throw this.#wrong(`nothing to repeat before '${point}'`)
      default:
        return this.#literal(point)
    }
  }

  #group(): GrammarNode {
    if (this.#take('?')) {
      const kind = this.#next()
      if (kind === '<' && /[A-Za-z_$]/.test(this.#peek() ?? '')) {
        while (this.#next() !== '>');
      } else if (kind !== ':') throw this.#wrong(`'(?${kind}' is not supported`)
    }
    const node = this.#alternatives()
    if (!this.#take(')')) throw this.#wrong("')' is missing")
    return node
  }

  #quantified(part: GrammarNode): GrammarNode {
    const bounds = this.#quantifier()
    if (!bounds) return part
    // Lazy and greedy match the same texts.
    this.#take('?')
    if (this.#quantifier()) throw this.#wrong('nothing to repeat')
    const [min, max] = bounds
    if (min > max) throw this.#wrong(`{${min},${max}} is out of order`)
    if (min > MAX_REPEATS) throw this.#wrong(`more than ${MAX_REPEATS} repeats are not supported`)
    return repeat(part, '', min, max)
  }

  #quantifier(): readonly [number, number] | null {
    if (this.#take('*')) return [0, Infinity]
    if (this.#take('+')) return [1, Infinity]
    if (this.#take('?')) return [0, 1]
    if (this.#peek() !== '{') return null
    const match = /^\{(\d{1,9})(?:(,)(\d{1,9})?)?\}/.exec(
      this.#points.slice(this.#at, this.#at + 24).join(''),
    )
    // As in JavaScript without the `u` flag, any other brace is a character.
    if (!match) return null
    this.#at += match[0].length
    const min = Number(match[1])
    if (match[2] === undefined) return [min, min]
    return [min, match[3] === undefined ? Infinity : Number(match[3])]
  }

  #escape(): string | CodePoints {
    const point = this.#next()
    const known = CLASSES[point]
    if (known) return known
    const excluded = NEGATED[point]
    if (excluded) return complement(excluded)
    const control = CONTROLS[point]
    if (control !== undefined && !/\d/.test(this.#peek() ?? '')) return control
    if (point === 'x') return this.#hex(2)
    if (point === 'u') return this.#hex(4)
    if (/[A-Za-z0-9]/.test(point)) throw this.#wrong(`'\\${point}' is not supported`)
    return point
  }

  #hex(length: number): string {
    const digits = this.#points.slice(this.#at, this.#at + length).join('')
    if (digits.length !== length || /[^0-9a-fA-F]/.test(digits))
      throw this.#wrong('hexadecimal digits are missing')
    this.#at += length
    const code = Number.parseInt(digits, 16)
    if (code >= SURROGATES[0] && code <= SURROGATES[1]) throw this.#wrong('surrogates are not supported')
    return String.fromCodePoint(code)
  }

  #class(): CodePoints {
    const isNegated = this.#take('^')
    const ranges: Range[] = []
    while (!this.#take(']')) {
      const low = this.#member()
      if (typeof low !== 'string') {
        ranges.push(...low)
        continue
      }
      const from = low.codePointAt(0)!
      let to = from
      if (this.#peek() === '-' && ![']', undefined].includes(this.#points[this.#at + 1])) {
        this.#at++
        const high = this.#member()
        if (typeof high !== 'string') throw this.#wrong('a class cannot end a range')
        to = high.codePointAt(0)!
        if (to < from) throw this.#wrong(`range '${low}-${high}' is out of order`)
      }
      ranges.push([from, to])
    }
    return isNegated ? complement(ranges) : ranges
  }

  #member(): string | CodePoints {
    const point = this.#next()
    if (point !== '\\') return point
    if (this.#take('b')) return '\b'
    return this.#escape()
  }

  #characters(points: CodePoints): GrammarNode {
    const readable = intersect(points, PRINTABLE)
    const whole = readable.length > 0 ? readable : intersect(points, complement([SURROGATES]))
    if (whole.length === 0) throw this.#wrong('a class holds no character')
    return {kind: 'character', points: whole, isEscaped: this.#isEscaped}
  }

  #literal(said: string): GrammarNode {
    return text(this.#isEscaped ? JSON.stringify(said).slice(1, -1) : said)
  }

  #peek(): string | undefined {
    return this.#points[this.#at]
  }

  #next(): string {
    const point = this.#points[this.#at++]
    if (point === undefined) throw this.#wrong('it ends too early')
    return point
  }

  #take(point: string): boolean {
    if (this.#peek() !== point) return false
    this.#at++
    return true
  }

  #wrong(message: string): Error {
    return invalid(`in the pattern at ${this.#at}: ${message}`)
  }
}

/** Sorted, without overlaps. */
function merge(points: CodePoints): Range[] {
  const merged: Range[] = []
  for (const [from, to] of [...points].sort(([a], [b]) => a - b)) {
    const last = merged.at(-1)
    if (last && from <= last[1] + 1) merged[merged.length - 1] = [last[0], Math.max(last[1], to)]
    else merged.push([from, to])
  }
  return merged
}

function complement(points: CodePoints): Range[] {
  const gaps: Range[] = []
  let next = 0
  for (const [from, to] of merge(points)) {
    if (from > next) gaps.push([next, from - 1])
    next = to + 1
  }
  if (next <= LAST_POINT) gaps.push([next, LAST_POINT])
  return gaps
}

function intersect(some: CodePoints, others: CodePoints): Range[] {
  return merge(some).flatMap(([from, to]) =>
    others
      .map(([low, high]): Range => [Math.max(from, low), Math.min(to, high)])
      .filter(([low, high]) => low <= high),
  )
}
