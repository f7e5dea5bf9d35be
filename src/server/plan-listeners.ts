import {ConfigurationError} from '../lib/foundation/index.js'
import type {FamilyName} from './api-families.js'

/** One port and what answers on it. */
export interface Listener {
  readonly port: number
  /** A Unix socket instead of a port. */
  readonly socketPath?: string
  readonly families: readonly FamilyName[]
}

/**
 * Pure: the main port with every family first, then one listener for each other port that `extra` names.
 *
 * @throws ConfigurationError `USAGE` for a port of its own for a family that is not served
 */
export function planListeners(
  port: number,
  families: readonly FamilyName[],
  extra: readonly {readonly family: FamilyName; readonly port: number}[],
): Listener[] {
  const byPort = new Map<number, FamilyName[]>()
  for (const {family, port: own} of extra) {
    if (!families.includes(family)) {
      throw new ConfigurationError('USAGE', `--listen ${family}=${own}, but --api leaves ${family} out`)
    }
    // 0 is a free port: on the main one it would have to be the same by chance.
    if (own === port && port !== 0) continue
    const there = byPort.get(own) ?? []
    if (!there.includes(family)) byPort.set(own, [...there, family])
  }
  return [{port, families}, ...[...byPort].map(([own, some]) => ({port: own, families: some}))]
}
