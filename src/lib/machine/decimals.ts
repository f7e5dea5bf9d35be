/** As printf's `%.Nf`, as a number. */
export function decimals(value: number, digits: number): number {
  return Number(value.toFixed(digits))
}
