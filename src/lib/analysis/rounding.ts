/** A figure as files hold it: to 10⁻⁶ of its unit, which hides the noise of binary fractions and no measurement. */
export function rounded(value: number | null): number | null {
  return value === null ? null : Math.round(value * 1e6) / 1e6
}

/** `numerator / denominator`, null when either is unknown or there is nothing to divide by. */
export function ratio(numerator: number | null, denominator: number | null): number | null {
  return numerator === null || denominator === null || denominator === 0 ? null : numerator / denominator
}
