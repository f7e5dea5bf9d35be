/** Fewer pairs show a correlation by chance. */
const FEWEST_PAIRS = 8

/**
 * Spearman's rank correlation: Pearson's of the ranks, equal values sharing their mean rank. Pairs with an unknown half are left out.
 *
 * @returns −1 to 1; null with fewer than eight pairs, or when one side never changes
 */
export function rankCorrelation(
  left: readonly (number | null)[],
  right: readonly (number | null)[],
): number | null {
  const pairs = left.flatMap((value, at) => {
    const other = right[at] ?? null
    return value === null || other === null ? [] : [[value, other] as const]
  })
  if (pairs.length < FEWEST_PAIRS) return null
  const [one, other] = [ranks(pairs.map(([value]) => value)), ranks(pairs.map(([, value]) => value))]
  // Ranks always have this mean.
  const mean = (pairs.length + 1) / 2
  let [products, squares, others] = [0, 0, 0]
  for (let at = 0; at < pairs.length; at++) {
    const [a, b] = [one[at]! - mean, other[at]! - mean]
    products += a * b
    squares += a * a
    others += b * b
  }
  return squares === 0 || others === 0 ? null : products / Math.sqrt(squares * others)
}

function ranks(values: readonly number[]): number[] {
  const order = values.map((value, at) => ({value, at})).sort((a, b) => a.value - b.value)
  const result = new Array<number>(values.length)
  for (let from = 0; from < order.length;) {
    let to = from
    while (to + 1 < order.length && order[to + 1]!.value === order[from]!.value) to++
    for (let place = from; place <= to; place++) result[order[place]!.at] = (from + to) / 2 + 1
    from = to + 1
  }
  return result
}
