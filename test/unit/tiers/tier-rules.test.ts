import {expect} from 'chai'
import {takesPart, TIER_NAMES, type TierUse} from '../../../src/lib/tiers/core/tier-rules.js'

const [CPU, DISK, REMOTE] = TIER_NAMES
const ALL = [CPU, DISK, REMOTE]

describe('who takes part', () => {
  const table: [
    string,
    {isFrozen?: boolean; isHot?: boolean; bypassed?: string[]},
    Record<TierUse, string[]>,
  ][] = [
    ['normally', {}, {store: ALL, retrieve: ALL, lookup: ALL, 'write-back': [CPU], clear: ALL}],
    [
      'with the hot cache off',
      {isHot: false},
      {store: [DISK, REMOTE], retrieve: ALL, lookup: ALL, 'write-back': [], clear: [DISK, REMOTE]},
    ],
    [
      'when frozen',
      {isFrozen: true},
      {store: [], retrieve: [CPU], lookup: [CPU], 'write-back': [], clear: ALL},
    ],
    [
      'with the disk bypassed',
      {bypassed: [DISK]},
      {store: [CPU, REMOTE], retrieve: [CPU, REMOTE], lookup: [CPU, REMOTE], 'write-back': [CPU], clear: ALL},
    ],
    [
      'with the CPU tier bypassed',
      {bypassed: [CPU]},
      {store: [DISK, REMOTE], retrieve: [DISK, REMOTE], lookup: [DISK, REMOTE], 'write-back': [], clear: ALL},
    ],
    [
      'when frozen with the CPU tier bypassed',
      {isFrozen: true, bypassed: [CPU]},
      {store: [], retrieve: [], lookup: [], 'write-back': [], clear: ALL},
    ],
  ]
  for (const [when, {isFrozen = false, isHot = true, bypassed = []}, expected] of table) {
    for (const [use, tiers] of Object.entries(expected)) {
      it(`in ${use} ${when}: ${tiers.join(', ') || 'nobody'}`, () => {
        const switches = {isFrozen, isHot, bypassed: new Set(bypassed)}
        expect(ALL.filter(tier => takesPart(tier, use as TierUse, switches))).to.deep.equal(tiers)
      })
    }
  }
})
