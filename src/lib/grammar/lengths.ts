import type {GrammarNode} from './node.js'
import {MORE_ELEMENTS} from './speak.js'

/**
 * How many characters the texts of a pattern have that are really said, which repeat little where the pattern has no limit.
 *
 * @param node of a pattern, unescaped: it has no cycles
 */
export function textLengths(node: GrammarNode): {readonly min: number; readonly max: number} {
  switch (node.kind) {
    case 'text': {
      const {length} = Array.from(node.text)
      return {min: length, max: length}
    }
    case 'character':
      return {min: 1, max: 1}
    case 'all': {
      const parts = node.parts.map(textLengths)
      return {
        min: parts.reduce((sum, part) => sum + part.min, 0),
        max: parts.reduce((sum, part) => sum + part.max, 0),
      }
    }
    case 'any': {
      const options = node.options.map(textLengths)
      return {min: Math.min(...options.map(({min}) => min)), max: Math.max(...options.map(({max}) => max))}
    }
    case 'repeat': {
      const {min, max} = textLengths(node.part)
      return {min: node.min * min, max: Math.min(node.max, node.min + MORE_ELEMENTS) * max}
    }
    default:
      throw new TypeError(`a pattern has no ${node.kind}`)
  }
}
