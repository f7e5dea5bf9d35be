/** A heading and a row, or a row and how many more there are. */
const SMALLEST = 2

/**
 * Pure: lines for each of several sections, top to bottom. Each first gets up to `least`, then those who want more share
 * what is left. A section that would be a heading alone gets nothing. What is left over at the end stays empty.
 */
export function shareLines(wanted: readonly number[], available: number, least: number): number[] {
  const given = wanted.map(() => 0)
  let left = available
  const give = (at: number, lines: number): void => {
    const more = Math.max(0, Math.min(lines - given[at]!, left))
    given[at]! += more
    left -= more
  }
  for (const [at, lines] of wanted.entries()) {
    if (left >= Math.min(lines, SMALLEST)) give(at, Math.min(lines, least))
  }
  const isShown = given.map(lines => lines > 0)
  while (left > 0) {
    const hungry = wanted.flatMap((lines, at) => (isShown[at] && given[at]! < lines ? [at] : []))
    if (hungry.length === 0) break
    for (const at of hungry) give(at, given[at]! + 1)
  }
  return given
}
