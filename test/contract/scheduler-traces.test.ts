import {expect} from 'chai'
import {eventIds, generation, range, TracedCore} from '../support/engine-core.js'

// Step by step what vLLM v1's scheduler and block pool do (vllm-project/vllm:vllm/v1/core/sched/scheduler.py).
describe('the scheduler', () => {
  it('reuses prefixes: a fully cached prompt recomputes its last block, later requests of a step share earlier ones', () => {
    const traced = new TracedCore(9, {blockSize: 4, maxModelLen: 32})
    traced.add(generation('r1', range(0, 10), 3))

    for (const scheduled of ['r1:10', 'r1:1', 'r1:1']) {
      const step = traced.step()
      expect(step.scheduled).to.equal(scheduled)
      expect(step.tables).to.deep.equal({r1: [1, 2, 3]})
      expect(step.usage).to.equal(0.375)
      expect(traced.freeQueue()).to.equal('4 5 6 7 8')
    }
    expect(eventIds(traced.step().events, 'finished')).to.deep.equal(['r1'])
    expect(traced.freeQueue()).to.equal('4 5 6 7 8 3 2 1')

    traced.add(generation('r2', [...range(0, 8), 20, 21, 22], 1), generation('r3', range(0, 8), 1))
    const shared = traced.step()
    expect(shared.scheduled).to.equal('r2:3 r3:4')
    expect(shared.tables).to.deep.equal({r2: [1, 2, 4], r3: [1, 5]})
    expect(shared.events.filter(event => event.type === 'cached')).to.deep.equal([
      {type: 'cached', id: 'r2', tokens: 8},
      {type: 'cached', id: 'r3', tokens: 4},
    ])
    expect(shared.usage).to.equal(0.5)
    expect(eventIds(traced.step().events, 'finished')).to.deep.equal(['r2', 'r3'])
    expect(traced.freeQueue()).to.equal('6 7 8 3 4 2 5 1')
  })

  it('preempts the last in line when blocks run out, and lets nobody in before it fits again', () => {
    const traced = new TracedCore(7, {blockSize: 4, maxModelLen: 24})
    traced.add(generation('a', range(100, 108), 9), generation('b', range(200, 208), 9))
    const expectStep = (
      scheduled: string,
      tables: Record<string, number[]>,
      usage: number,
      queue: string,
    ): string[] => {
      const step = traced.step()
      expect(step.scheduled).to.equal(scheduled)
      expect(step.tables).to.deep.equal(tables)
      expect(step.usage).to.equal(usage)
      expect(traced.freeQueue()).to.equal(queue)
      return eventIds(step.events, 'preempted')
    }

    expectStep('a:8 b:8', {a: [1, 2], b: [3, 4]}, 0.667, '5 6')
    for (let step = 2; step <= 5; step++) expectStep('a:1 b:1', {a: [1, 2, 5], b: [3, 4, 6]}, 1, '')
    expect(expectStep('a:1', {a: [1, 2, 5, 6]}, 0.667, '4 3')).to.deep.equal(['b'])
    for (let step = 7; step <= 9; step++) expectStep('a:1', {a: [1, 2, 5, 6]}, 0.667, '4 3')
    // Step 9 ends with a, whose blocks go to the back of the queue, tail first: 4 3 6 5 2 1. Then b takes its own two.
    expectStep('b:5', {b: [3, 4, 6, 5]}, 0.667, '2 1')
    for (let step = 11; step <= 13; step++) expectStep('b:1', {b: [3, 4, 6, 5]}, 0.667, '2 1')
    expect(eventIds(traced.step().events, 'finished')).to.deep.equal(['b'])
    expect(traced.freeQueue()).to.equal('2 1 5 6 4 3')
    expect(traced.core.scheduler.preemptions).to.equal(1)
  })

  it('cuts prompts into chunks that fit beside the running requests, and holds to the most sequences', () => {
    const traced = new TracedCore(65, {maxNumBatchedTokens: 32, maxNumSeqs: 2, maxModelLen: 128})
    traced.add(
      generation('a', range(0, 40), 6),
      generation('b', range(1000, 1090), 2),
      generation('c', range(2000, 2010), 2),
    )
    const seen = Array.from({length: 9}, () => {
      const {scheduled, events} = traced.step()
      return {scheduled, tokens: eventIds(events, 'token'), finished: eventIds(events, 'finished')}
    })
    // What a step yields comes out when the next one begins.
    expect(seen).to.deep.equal([
      {scheduled: 'a:32', tokens: [], finished: []},
      {scheduled: 'a:8 b:24', tokens: [], finished: []},
      {scheduled: 'a:1 b:31', tokens: ['a'], finished: []},
      {scheduled: 'a:1 b:31', tokens: ['a'], finished: []},
      {scheduled: 'a:1 b:4', tokens: ['a'], finished: []},
      {scheduled: 'a:1 b:1', tokens: ['a', 'b'], finished: []},
      {scheduled: 'a:1 c:10', tokens: ['a', 'b'], finished: ['b']},
      {scheduled: 'c:1', tokens: ['a', 'c'], finished: ['a']},
      {scheduled: '', tokens: ['c'], finished: ['c']},
    ])
  })
})
