import {expect} from 'chai'
import {PodHistory} from '../../../src/lib/kube/pod-history.js'
import type {PodObject} from '../../../src/lib/kube/readiness.js'

const T0 = Date.UTC(2026, 0, 31, 14, 30)
const at = (seconds: number): string => new Date(T0 + seconds * 1000).toISOString()
const ms = (seconds: number): number => T0 + seconds * 1000

/** A pod that is ready, or not, since then. @param ran null before its container runs */
const pod = (name: string, isReady: boolean, since: number, ran: number | null = -50): PodObject => ({
  metadata: {name, creationTimestamp: at(-60)},
  spec: {nodeName: 'gpu-1', containers: [{name: 'kserve-container'}]},
  status: {
    startTime: at(-58),
    conditions: [{type: 'Ready', status: isReady ? 'True' : 'False', lastTransitionTime: at(since)}],
    containerStatuses: [
      {
        ...{name: 'kserve-container', ready: isReady, restartCount: 0},
        state: ran === null ? {waiting: {reason: 'ContainerCreating'}} : {running: {startedAt: at(ran)}},
      },
    ],
  },
})

describe('what became of pods', () => {
  it('goes on in a later part of a run: who stayed, who went, who came and was ready meanwhile', () => {
    const first = new PodHistory()
    first.see([pod('stays', true, -30), pod('goes', true, -30), pod('fails', true, -30)], ms(0))
    const second = new PodHistory(first.records())
    second.see([pod('stays', true, -30), pod('fails', false, 40), pod('comes', true, 50)], ms(100))
    second.see([pod('stays', true, -30), pod('fails', true, 120), pod('comes', true, 50)], ms(120))
    const told = Object.fromEntries(
      second.records().map(({name, finished_at, ready}) => [name, {finished_at, ready}]),
    )
    expect(told).to.deep.equal({
      stays: {finished_at: null, ready: [{from: at(-30), to: null}]},
      goes: {finished_at: at(100), ready: [{from: at(-30), to: at(100)}]},
      // When it failed nobody saw; no request ran then.
      fails: {
        finished_at: null,
        ready: [
          {from: at(-30), to: at(100)},
          {from: at(120), to: null},
        ],
      },
      comes: {finished_at: null, ready: [{from: at(50), to: null}]},
    })
    expect(first.records()[1]!.finished_at).to.equal(null)
  })

  it('begins when a container first ran, also when it was started again, before that when the pod was', () => {
    const history = new PodHistory()
    const started = (): string | null => history.records()[0]!.started_at
    history.see([pod('p', false, -60, null)], ms(0))
    expect(started()).to.equal(at(-58))
    history.see([pod('p', false, -60, 10)], ms(10))
    expect(started()).to.equal(at(10))
    for (const ran of [null, 30]) history.see([pod('p', false, -60, ran)], ms(30))
    expect(started()).to.equal(at(10))
    const later = new PodHistory(history.records())
    later.see([pod('p', true, 40, 30)], ms(40))
    expect(later.records()[0]!.started_at).to.equal(at(30))
  })

  it('is told apart of two that had one name after the other', () => {
    const history = new PodHistory()
    history.see([pod('demo-0', true, -30)], ms(0))
    const anew = pod('demo-0', false, 10, null)
    history.see([{...anew, metadata: {name: 'demo-0', creationTimestamp: at(10)}}], ms(10))
    expect(history.records().map(one => [one.created_at, one.finished_at])).to.deep.equal([
      [at(-60), at(10)],
      [at(10), null],
    ])
    expect([...history.nodes()]).to.deep.equal(['gpu-1'])
  })
})
