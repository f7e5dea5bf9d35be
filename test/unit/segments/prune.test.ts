import {readdirSync} from 'node:fs'
import {expect} from 'chai'
import {pruneSegments, type SegmentState, type SegmentStore} from '../../../src/lib/segments/index.js'
import {GIB, segmentFolder, type SegmentFolder} from '../../support/segments.js'

const {signal} = new AbortController()

describe('pruning', () => {
  let folder: SegmentFolder
  beforeEach(() => {
    folder = segmentFolder()
    for (const name of ['dead', 'idle', 'live', 'reborn']) folder.put(name, GIB, 1n)
  })
  afterEach(() => folder.remove())

  /** The real store, with verdicts by name; `reborn` gets a new engine while it is being probed. */
  const judged = (): SegmentStore => ({
    ...folder.store,
    async probe(name): Promise<SegmentState> {
      if (name === 'reborn') folder.put(name, GIB, 2n)
      const verdict = name === 'live' || name === 'idle' ? name : 'stale'
      return {verdict, pid: null, owner: null, because: 'so it is', warnings: []}
    },
  })
  const removed = async (isDryRun: boolean): Promise<string[]> => {
    const findings = await pruneSegments(judged(), {isDryRun, signal})
    expect(findings.map(({name}) => name)).to.deep.equal(['dead', 'idle', 'live', 'reborn'])
    return findings.filter(({isRemoved}) => isRemoved).map(({name}) => name)
  }

  it('removes the proven dead, and not what changed since the look', async () => {
    expect(await removed(false)).to.deep.equal(['dead'])
    expect(readdirSync(folder.directory)).to.deep.equal(['idle', 'live', 'reborn'])
  })

  it('removes nothing in a dry run', async () => {
    expect(await removed(true)).to.deep.equal(['dead', 'reborn'])
    expect(readdirSync(folder.directory)).to.have.length(4)
  })
})
