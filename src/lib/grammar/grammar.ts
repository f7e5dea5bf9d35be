import {ConfigurationError} from '../foundation/index.js'
import type {GrammarNode, ObjectNode} from './node.js'

/** A finished grammar: every text of it has an end. */
export interface Grammar {
  readonly root: GrammarNode
  /** How deeply the shallowest text of a node nests; Infinity where it never ends, which is then never chosen. */
  depthOf(node: GrammarNode): number
}

const MAX_NODES = 5000

/** @throws ConfigurationError `GRAMMAR_INVALID` when it is too large or no text of it ever ends */
export function createGrammar(root: GrammarNode): Grammar {
  const nodes = reachable(root)
  const depths = new Map<GrammarNode, number>(nodes.map(node => [node, Infinity]))
  const depthOf = (node: GrammarNode): number => depths.get(node)!
  for (let hasChanged = true; hasChanged;) {
    hasChanged = false
    // Children stand after their parents, so that from the end one round does for everything but cycles.
    for (let at = nodes.length - 1; at >= 0; at--) {
      const depth = measure(nodes[at]!, depthOf)
      if (depth < depthOf(nodes[at]!)) {
        depths.set(nodes[at]!, depth)
        hasChanged = true
      }
    }
  }
  if (depthOf(root) === Infinity) throw invalid('nothing finite fits it')
  return {root, depthOf}
}

/** A schema, pattern or choice that cannot be followed. */
export function invalid(message: string): ConfigurationError {
  return new ConfigurationError('GRAMMAR_INVALID', message)
}

function reachable(root: GrammarNode): GrammarNode[] {
  const seen = new Set([root])
  for (const node of seen) {
    if (seen.size > MAX_NODES) throw invalid(`it has more than ${MAX_NODES} parts`)
    for (const child of children(node)) seen.add(child)
  }
  return [...seen]
}

function children(node: GrammarNode): readonly GrammarNode[] {
  switch (node.kind) {
    case 'all':
      return node.parts
    case 'any':
      return node.options
    case 'repeat':
      return [node.part]
    case 'object':
      return [...node.members.map(member => member.node), ...(node.extra ? [node.extra] : [])]
    case 'link':
      return [node.target!]
    default:
      return []
  }
}

function measure(node: GrammarNode, depthOf: (node: GrammarNode) => number): number {
  switch (node.kind) {
    case 'all':
      return Math.max(0, ...node.parts.map(depthOf))
    case 'any':
      return 1 + Math.min(Infinity, ...node.options.map(depthOf))
    case 'repeat':
      return node.min === 0 ? 0 : 1 + depthOf(node.part)
    case 'object':
      return 1 + Math.max(0, ...neededMembers(node).map(depthOf))
    case 'link':
      return 1 + depthOf(node.target!)
    default:
      return 0
  }
}

/** Which members every text of an object has; with a least number of them, more than those required. */
function neededMembers({members, extra, min}: ObjectNode): GrammarNode[] {
  const required = members.filter(member => member.isRequired)
  if (required.length >= min) return required.map(member => member.node)
  return [...members.map(member => member.node), ...(extra ? [extra] : [])]
}
