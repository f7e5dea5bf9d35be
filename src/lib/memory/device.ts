import {ConfigurationError} from '../foundation/index.js'

/** Where pages are: this machine's memory, or a GPU by CUDA's own number. */
export type Device = {readonly kind: 'cpu'} | {readonly kind: 'cuda'; readonly ordinal: number}

/**
 * A device as torch names it: `cpu`, `cuda`, `cuda:1`; `hip:1` is the same as `cuda:1`.
 *
 * @throws ConfigurationError `DEVICE_INVALID`
 */
export function parseDevice(text: string): Device {
  if (text === 'cpu') return {kind: 'cpu'}
  const match = /^(?:cuda|hip)(?::(\d{1,3}))?$/.exec(text)
  if (match) return {kind: 'cuda', ordinal: Number(match[1] ?? 0)}
  throw new ConfigurationError('DEVICE_INVALID', `'${text}' is not a device`, {
    suggestions: ['write cpu, cuda or cuda:N'],
  })
}
