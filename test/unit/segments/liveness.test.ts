import {expect} from 'chai'
import type {Claim} from '../../../src/lib/segments/claims.js'
import {
  impossibleBecause,
  judge,
  type ProbeSightings,
  type Sightings,
  type Verdict,
} from '../../../src/lib/segments/liveness.js'
import {GIB} from '../../support/segments.js'

const record = {limitBytes: 8n * GIB, usedBytes: GIB, preallocBytes: 0n}
const seen = (sightings: Partial<Sightings>): Sightings => ({
  record,
  otherUser: null,
  creator: null,
  claims: [],
  groupId: null,
  isWholeMachine: true,
  probe: null,
  ...sightings,
})
const probed = (probe: Partial<ProbeSightings>): ProbeSightings => ({
  queued: [],
  holder: null,
  wasRead: false,
  ...probe,
})
const claim = (facts: Partial<Claim>): Claim => ({
  pid: 46,
  command: 'python3 serve.py',
  via: 'name',
  isEngine: false,
  isCore: false,
  ...facts,
})
const engine = {pid: 42, command: 'python3 -m vllm.entrypoints.openai.api_server'}
const tool = {pid: 43, command: 'python3 /usr/local/bin/kvctl watch'}
const made = (isRunning: boolean | null): Sightings['creator'] => ({pid: 47, command: 'node', isRunning})
const ASCII = 0x6b76_6374_6c20_6b76n

describe('the verdict on an engine', () => {
  const verdicts: [string, Partial<Sightings>, Verdict, number | null][] = [
    ['an engine queues for the lock', {probe: probed({queued: [tool, engine]})}, 'live', 42],
    [
      'a process that hides its command line queues',
      {probe: probed({queued: [{pid: 44, command: null}]})},
      'live',
      44,
    ],
    [
      'somebody never lets go of the lock',
      {probe: probed({holder: {pid: 45, command: 'x'}, wasRead: null})},
      'live',
      45,
    ],
    ['the file is being read by somebody unseen', {probe: probed({wasRead: true})}, 'live', null],
    [
      'an engine reads a file with figures of no engine',
      {record: {...record, usedBytes: -1n}, probe: probed({queued: [engine]})},
      'live',
      42,
    ],
    ['our engine that made it runs', {creator: made(true)}, 'live', 47],
    ['an engine runs under its name', {claims: [claim({isEngine: true})]}, 'live', 46],
    [
      'the core of an engine is in its process group',
      {claims: [claim({via: 'group', isCore: true})]},
      'live',
      46,
    ],

    [
      'nothing reads it, but a program runs under its name',
      {claims: [claim({})], probe: probed({})},
      'idle',
      46,
    ],
    [
      'nothing reads it, but a program is in its process group',
      {claims: [claim({via: 'group'})], groupId: 9, probe: probed({})},
      'idle',
      46,
    ],
    [
      'our engine is gone, but another program runs under its name',
      {creator: made(false), claims: [claim({})]},
      'idle',
      46,
    ],

    [
      'more is in use than any GPU has',
      {record: {...record, usedBytes: ASCII}, probe: probed({})},
      'foreign',
      null,
    ],
    ['it is of a user who cannot be looked into', {otherUser: 1001}, 'foreign', null],
    [
      'it is of such a user, and its access time cannot be watched',
      {otherUser: 1001, probe: probed({wasRead: null})},
      'foreign',
      null,
    ],

    ['our engine that made it is gone', {creator: made(false)}, 'stale', null],
    [
      'our engine is gone and only its process group lives on',
      {creator: made(false), claims: [claim({via: 'group'})], groupId: 9},
      'stale',
      null,
    ],
    ['its process group is gone from the machine', {groupId: 9}, 'stale', null],
    ['nothing reads it and its name says nothing', {probe: probed({})}, 'stale', null],
    [
      'nothing reads it and its process group is not seen',
      {groupId: 9, isWholeMachine: false, probe: probed({})},
      'stale',
      null,
    ],

    ['only tools read it', {probe: probed({queued: [tool], wasRead: true})}, 'unknown', null],
    ['its access time cannot be watched', {probe: probed({wasRead: null})}, 'unknown', null],
    ['it was only looked at, and nobody says that he uses its name', {}, 'unknown', null],
    [
      'its process group is not seen from inside a container',
      {groupId: 9, isWholeMachine: false},
      'unknown',
      null,
    ],
    ['our engine made it in another container', {creator: made(null)}, 'unknown', null],
  ]
  for (const [when, sightings, verdict, pid] of verdicts) {
    it(`is ${verdict} when ${when}`, () => {
      expect(judge(seen(sightings))).to.include({verdict, pid})
    })
  }

  it('names the process and what it was started with, without its secrets', () => {
    const command = 'vllm serve m --api-key hunter2 --port 80'
    const {owner, because} = judge(seen({claims: [claim({isEngine: true, command})]}))
    expect(owner).to.equal('vllm serve m --api-key [removed] --port 80')
    expect(because).to.equal('pid 46 is an engine under its name')
  })

  it('takes figures of 0 to 1 PiB for possible, and any limit', () => {
    expect(impossibleBecause({limitBytes: 2n ** 62n, usedBytes: 2n ** 50n, preallocBytes: 0n})).to.equal(null)
    expect(impossibleBecause({limitBytes: 1n, usedBytes: 2n ** 50n + 1n, preallocBytes: 0n})).to.contain(
      'uses',
    )
    expect(impossibleBecause({limitBytes: 1n, usedBytes: 0n, preallocBytes: -1n})).to.contain('-1 bytes')
  })
})
