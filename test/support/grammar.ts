import {createGrammar, createGuide, type GrammarNode} from '../../src/lib/grammar/index.js'

const WORDS = ['alpha', 'beta', 'gamma', 'delta', 'epsilon']
const MOST = 100_000

/** A text of a grammar by a digest that goes on from `seed`; each token is a code point. */
export function textOf(node: GrammarNode, seed: number): string {
  const encode = (text: string): number[] => Array.from(text, character => character.codePointAt(0)!)
  const guide = createGuide({grammar: createGrammar(node), share: 1, encode, words: WORDS})
  const points: string[] = []
  for (let digest = seed; points.length < MOST; digest = (Math.imul(digest, 1664525) + 1013904223) >>> 0) {
    const token = guide.next(digest)
    if (token === 'end') return points.join('')
    points.push(String.fromCodePoint(token as number))
  }
  throw new Error(`still talking after ${MOST} characters`)
}
