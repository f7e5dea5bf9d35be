/** An amount as the documented result writes it: `$0.0023`; other currencies as `0.0023 EUR`. */
export function moneyText(amount: number, decimals: number, currency = 'USD'): string {
  const digits = amount.toFixed(decimalsFor(amount, decimals))
  return currency === 'USD' ? `$${digits}` : `${digits} ${currency}`
}

/**
 * Rounds parts so that what is printed adds up: each down, and what is then missing of the rounded total goes to the parts that
 * lost most (largest remainder).
 *
 * @param decimals more are kept when the total would print as zero
 */
export function moneyParts(
  parts: readonly number[],
  decimals: number,
  currency = 'USD',
): {readonly total: string; readonly parts: readonly string[]} {
  const sum = parts.reduce((total, part) => total + part, 0)
  const places = decimalsFor(sum, decimals)
  const unit = 10 ** -places
  // A thousandth of a unit of grace: 0.07 / 0.01 is 7.000000000000001.
  const units = parts.map(part => Math.floor(part / unit + 1e-3))
  const missing = Math.round(sum / unit) - units.reduce((total, count) => total + count, 0)
  const byLoss = parts
    .map((part, index) => ({index, loss: part / unit - units[index]!}))
    .sort((left, right) => right.loss - left.loss)
  for (const {index} of byLoss.slice(0, Math.max(0, missing))) units[index]!++
  const text = (count: number): string => {
    const digits = (count * unit).toFixed(places)
    return currency === 'USD' ? `$${digits}` : `${digits} ${currency}`
  }
  return {
    total: text(units.reduce((total, count) => total + count, 0)),
    parts: units.map(text),
  }
}

/** More than asked where a positive amount would print as zero: then two digits that say something. */
function decimalsFor(amount: number, decimals: number): number {
  if (amount <= 0 || Number(amount.toFixed(decimals)) > 0) return decimals
  return Math.min(20, Math.ceil(-Math.log10(amount)) + 1)
}
