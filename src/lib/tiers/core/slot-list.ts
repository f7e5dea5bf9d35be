/** A list of slots: `1,2,3,[9,12],17` holds 1, 2, 3, 9 to 12 and 17. Order and repetitions count. */
export type SlotRange = number | readonly [first: number, last: number]

/** A run of fewer slots is written out. */
const LEAST_RUN = 3
/** More slots than any paged buffer here has; a range must not be able to fill memory. */
const MAX_SLOTS = 1 << 24

/**
 * Reads a list of slots.
 *
 * @returns a sentence about what is wrong, as a string
 * @see LMCache/LMCache:lmcache/v1/internal_api_server/vllm/cache_api.py — the slot mapping parser
 */
export function parseSlots(text: string): number[] | string {
  const slots: number[] = []
  const rest = text.replaceAll(/\s+/g, '')
  for (let at = 0; at < rest.length;) {
    if (rest[at] === ',') at++
    else if (rest[at] === '[') {
      const end = rest.indexOf(']', at)
      if (end < 0) return `unclosed bracket at position ${at}`
      const range = rest.slice(at + 1, end)
      const problem = addRange(slots, range)
      if (problem !== null) return problem
      at = end + 1
    } else {
      const [item] = /^[^,[\]]+/.exec(rest.slice(at)) ?? ['']
      if (item === '') return `unmatched bracket at position ${at}`
      if (rest[at + item.length] === '[') return `a bracket directly behind '${item}'`
      const slot = pythonInteger(item)
      if (slot === null) return intComplaint(item)
      slots.push(slot)
      at += item.length
    }
  }
  return slots
}

function addRange(slots: number[], range: string): string | null {
  const [, first, last] = /^(\d+),(\d+)$/.exec(range) ?? []
  if (first === undefined || last === undefined) return `invalid range '[${range}]'`
  const [from, to] = [Number(first), Number(last)]
  if (from > to) return `range start ${first} is above its end ${last}`
  if (slots.length + to - from >= MAX_SLOTS) return `range '[${range}]' is too long`
  for (let slot = from; slot <= to; slot++) slots.push(slot)
  return null
}

/** Runs of three and more ascending slots as [first, last], everything else as it stands, in order. */
export function compressSlots(slots: ArrayLike<number>): SlotRange[] {
  const ranges: SlotRange[] = []
  for (let at = 0; at < slots.length;) {
    let end = at
    while (end + 1 < slots.length && slots[end + 1] === slots[end]! + 1) end++
    if (end - at + 1 >= LEAST_RUN) {
      ranges.push([slots[at]!, slots[end]!])
      at = end + 1
    } else ranges.push(slots[at++]!)
  }
  return ranges
}

/** What Python's `int(text)` makes of decimal digits, spaces around and `_` within allowed; null when it refuses. */
export function pythonInteger(text: string): number | null {
  const plain = text.trim()
  if (!/^[+-]?\d+(_\d+)*$/.test(plain)) return null
  const value = Number(plain.replaceAll('_', ''))
  return Number.isSafeInteger(value) ? value : null
}

/** What Python says when it refuses. */
export function intComplaint(text: string): string {
  return `invalid literal for int() with base 10: '${text}'`
}
