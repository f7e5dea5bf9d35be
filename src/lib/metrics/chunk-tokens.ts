/**
 * Shares a request's tokens after the first out among its gaps, for servers that send several tokens in a chunk: gap k gets
 * the whole tokens between (k − 1)·r and k·r, r = (n − 1) / (m − 1), so that the sum is exact.
 *
 * With one token a chunk (n = m) every gap gets one.
 *
 * @param gapIndex from 0
 */
export function tokensOfGap(gapIndex: number, gapCount: number, tokensAfterFirst: number): number {
  if (tokensAfterFirst === gapCount) return 1
  return (
    Math.floor(((gapIndex + 1) * tokensAfterFirst) / gapCount) -
    Math.floor((gapIndex * tokensAfterFirst) / gapCount)
  )
}
