import {expect} from 'chai'
import {eventIds, generation, range, TracedCore} from '../../support/engine-core.js'

describe('admission', () => {
  it('lets nobody overtake a head that does not fit', () => {
    const traced = new TracedCore(7, {blockSize: 4, maxModelLen: 24})
    traced.add(
      generation('runs', range(0, 8), 4),
      generation('large', range(100, 120), 1),
      generation('small', range(200, 204), 1),
    )
    expect(traced.step().scheduled).to.equal('runs:8')
    for (let step = 2; step <= 4; step++) expect(traced.step().scheduled).to.equal('runs:1')
    expect(traced.step().scheduled).to.equal('large:20 small:4')
  })

  it('needs room for the whole prompt, or only for the first chunk where that is asked for', () => {
    const scheduled = [true, false].map(reserveFullPrompt => {
      const traced = new TracedCore(7, {
        blockSize: 4,
        maxModelLen: 24,
        maxNumBatchedTokens: 12,
        reserveFullPrompt,
      })
      traced.add(generation('a', range(0, 8), 8), generation('b', range(100, 120), 1))
      return traced.step().scheduled
    })
    expect(scheduled).to.deep.equal(['a:8', 'a:8 b:4'])
  })

  it('waits for a step that holds the whole prompt when prompts are not cut', () => {
    const traced = new TracedCore(65, {maxNumBatchedTokens: 96, enableChunkedPrefill: false})
    traced.add(generation('a', range(0, 60), 2), generation('b', range(100, 160), 1))
    expect(traced.step().scheduled).to.equal('a:60')
    expect(traced.step().scheduled).to.equal('a:1 b:60')
  })

  it('takes a long prompt no further than the threshold in one step', () => {
    const traced = new TracedCore(65, {maxNumBatchedTokens: 64, longPrefillTokenThreshold: 20})
    traced.add(generation('a', range(0, 50), 2), generation('b', range(100, 110), 1))
    expect(Array.from({length: 4}, () => traced.step().scheduled)).to.deep.equal([
      'a:20 b:10',
      'a:20',
      'a:10',
      'a:1',
    ])
  })
})

describe('priority', () => {
  const options = {policy: 'priority' as const, blockSize: 4, maxModelLen: 24, maxNumSeqs: 1}

  it('admits the smaller number first, and among equals the earlier', () => {
    const traced = new TracedCore(7, options)
    traced.add(
      generation('late', range(0, 4), 1, {priority: 5}),
      generation('first', range(100, 104), 1, {priority: 1}),
      generation('second', range(200, 204), 1, {priority: 1}),
    )
    const order = Array.from({length: 3}, () => traced.step().scheduled)
    expect(order).to.deep.equal(['first:4', 'second:4', 'late:4'])
  })

  it('does not interrupt what runs for something more urgent', () => {
    const traced = new TracedCore(7, options)
    traced.add(generation('a', range(0, 4), 3, {priority: 5}))
    traced.step()
    traced.add(generation('b', range(100, 104), 1, {priority: 0}))
    expect(traced.step().scheduled).to.equal('a:1')
  })

  it('preempts the least urgent, even one that this step already served', () => {
    const traced = new TracedCore(7, {...options, maxNumSeqs: 8})
    traced.add(generation('idle', range(0, 8), 9, {priority: 9}))
    traced.step()
    traced.add(generation('urgent', range(100, 110), 9, {priority: 0}))
    const steps = Array.from({length: 4}, () => traced.step())
    // In the last step idle is served first, then urgent needs a fourth block while each holds three of the six.
    expect(steps.map(step => step.scheduled)).to.deep.equal([
      'idle:1 urgent:10',
      'idle:1 urgent:1',
      'idle:1 urgent:1',
      'urgent:1',
    ])
    expect(eventIds(steps[3]!.events, 'preempted')).to.deep.equal(['idle'])
  })

  it('takes itself out when it is the least urgent that needs a block', () => {
    const traced = new TracedCore(7, {...options, maxNumSeqs: 8})
    traced.add(generation('urgent', range(100, 108), 9, {priority: 0}))
    traced.step()
    traced.add(generation('idle', range(0, 10), 9, {priority: 9}))
    const steps = Array.from({length: 4}, () => traced.step())
    expect(steps[3]!.scheduled).to.equal('urgent:1')
    expect(eventIds(steps[3]!.events, 'preempted')).to.deep.equal(['idle'])
  })
})

describe('the prefix cache', () => {
  const hits = (traced: TracedCore): number[] =>
    traced.step().events.flatMap(event => (event.type === 'cached' ? [event.tokens] : []))

  it('keeps tenants apart', () => {
    const traced = new TracedCore(65, {blockSize: 4})
    traced.add(generation('a', range(0, 12), 1, {cacheSalt: 'a'}))
    traced.step()
    traced.step()
    traced.add(
      generation('b', range(0, 12), 1, {cacheSalt: 'b'}),
      generation('a2', range(0, 12), 1, {cacheSalt: 'a'}),
      generation('nobody', range(0, 12), 1),
    )
    expect(hits(traced)).to.deep.equal([0, 8, 0])
  })

  it('shares what an answer filled, too', () => {
    const traced = new TracedCore(65, {blockSize: 4})
    traced.add(generation('a', range(0, 4), 6))
    for (let step = 0; step < 7; step++) traced.step()
    traced.add(generation('b', [...range(0, 4), ...range(10_000, 10_006)], 1))
    expect(hits(traced)).to.deep.equal([8])
  })

  it('keeps answering when one of two blocks with the same content is evicted', () => {
    const traced = new TracedCore(9, {blockSize: 4, maxModelLen: 32})
    traced.add(generation('a', range(0, 8), 1), generation('b', range(0, 8), 1))
    traced.step()
    traced.step()
    // a holds 1 2, b holds 1 3, where 3 repeats 2; the queue is 4 5 6 7 8 2 3 1.
    expect(traced.freeQueue()).to.equal('4 5 6 7 8 2 3 1')
    traced.add(generation('c', range(100, 124), 1))
    traced.step()
    expect(traced.freeQueue()).to.equal('3 1')
    traced.step()
    expect(traced.core.scheduler.lookup([...range(0, 8), 9], null)).to.equal(8)
  })

  it('is forgotten on request, but not under a running request', () => {
    const traced = new TracedCore(65, {blockSize: 4})
    traced.add(generation('a', range(0, 8), 2))
    traced.step()
    expect(traced.core.scheduler.pool.resetPrefixes()).to.equal(false)
    expect(traced.core.scheduler.lookup(range(0, 9), null)).to.equal(8)
    traced.step()
    traced.step()
    expect(traced.core.scheduler.pool.resetPrefixes()).to.equal(true)
    expect(traced.core.scheduler.lookup(range(0, 9), null)).to.equal(0)
  })

  it('counts a waiting prompt again at every attempt', () => {
    const traced = new TracedCore(7, {blockSize: 4, maxModelLen: 24})
    traced.add(generation('a', range(0, 20), 3), generation('b', range(100, 120), 1))
    for (let step = 0; step < 3; step++) traced.step()
    expect(traced.core.scheduler.prefixQueries).to.equal(20 + 3 * 20)
  })
})

describe('a request', () => {
  it('ends where the context of the model ends', () => {
    const traced = new TracedCore(65, {blockSize: 4, maxModelLen: 10})
    traced.add(generation('a', range(0, 7), 100))
    const steps = Array.from({length: 4}, () => traced.step())
    expect(steps.map(step => step.scheduled)).to.deep.equal(['a:7', 'a:1', 'a:1', ''])
    const finished = steps[3]!.events.find(event => event.type === 'finished')
    expect(finished).to.have.nested.property('end.reason', 'length')
    expect(finished).to.have.nested.property('summary.generatedTokens', 3)
  })

  it('reports its intervals as vLLM does', () => {
    const traced = new TracedCore(65, {maxNumSeqs: 1})
    traced.add(generation('a', range(0, 7), 3), generation('b', range(50, 60), 2))
    const events = Array.from({length: 7}, () => traced.step()).flatMap(step => step.events)
    const summaries = events.flatMap(event => (event.type === 'finished' ? [event.summary] : []))
    // Every step takes 1 ms: a runs from 0 to 3 ms, b from 3 to 5 ms.
    const common = {reason: 'length', cachedTokens: 0, preemptions: 0}
    expect(summaries).to.deep.equal([
      {
        ...common,
        promptTokens: 7,
        generatedTokens: 3,
        maxTokens: 3,
        queueSeconds: 0,
        prefillSeconds: 0.001,
        decodeSeconds: 0.002,
        inferenceSeconds: 0.003,
        e2eSeconds: 0.003,
      },
      {
        ...common,
        promptTokens: 10,
        generatedTokens: 2,
        maxTokens: 2,
        queueSeconds: 0.003,
        prefillSeconds: 0.001,
        decodeSeconds: 0.001,
        inferenceSeconds: 0.002,
        e2eSeconds: 0.005,
      },
    ])
  })

  it('leaves at once when aborted, waiting or running, and its blocks are free', () => {
    const traced = new TracedCore(7, {blockSize: 4, maxModelLen: 24, maxNumSeqs: 1})
    traced.add(generation('runs', range(0, 8), 9), generation('waits', range(100, 108), 9))
    traced.step()
    expect(traced.core.abort('waits', 0)).to.equal(true)
    expect(traced.core.abort('runs', 0)).to.equal(true)
    expect(traced.core.abort('runs', 0)).to.equal(false)
    expect(traced.core.scheduler.pool.usedBlocks).to.equal(0)
    const {events, scheduled} = traced.step()
    expect(eventIds(events, 'finished')).to.deep.equal(['waits', 'runs'])
    expect(eventIds(events, 'token')).to.deep.equal([])
    expect(scheduled).to.equal('')
  })

  it('must have an id of its own', () => {
    const traced = new TracedCore(65, {})
    traced.add(generation('a', [1], 1))
    expect(() => traced.add(generation('a', [1], 1))).to.throw("request 'a' is already running")
  })
})
