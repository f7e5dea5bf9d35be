import {ConfigurationError} from './errors.js'

const SCALES: Readonly<Record<string, number>> = {
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  k: 1e3,
  K: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
}
const BINARY = ['K', 'M', 'G', 'T', 'P', 'E']

/** The form of a Kubernetes quantity: `2`, `2000m`, `8Gi`, `1e3`. */
export const QUANTITY = /^(\d+(?:\.\d+)?)([eE][+-]?\d+|[numkKMGTPE]|[KMGTPE]i)?$/

/**
 * A Kubernetes quantity in the resource's own unit: cores of CPU, bytes of memory, pieces of anything else. `100m` of memory is
 * a tenth of a byte, as Kubernetes has it.
 *
 * @throws ConfigurationError `QUANTITY_INVALID`
 * @see kubernetes/apimachinery:pkg/api/resource/quantity.go
 */
export function parseQuantity(quantity: string | number): number {
  const [, digits, suffix = ''] = QUANTITY.exec(String(quantity)) ?? []
  if (digits === undefined) {
    throw new ConfigurationError('QUANTITY_INVALID', `'${quantity}' is not a quantity such as 2000m or 8Gi`)
  }
  if (suffix === '' || /\d/.test(suffix)) return Number(quantity)
  const scale = suffix.endsWith('i') ? 1024 ** (BINARY.indexOf(suffix[0]!) + 1) : SCALES[suffix]!
  return Number(digits) * scale
}
