import {expect} from 'chai'
import {createBuiltinTokenizer} from '../../../src/lib/tokens/index.js'
import {createFaultDealer, type Fault, type FaultRates} from '../../../src/server/fault-injection.js'
import {serveEngine, type EngineServer} from '../../support/engine-server.js'
import {scriptedEngine, type ScriptedEngine} from '../../support/scripted-engine.js'

const NONE: FaultRates = {error: 0, tooMany: 0, cut: 0, stall: 0, stallMs: 5, spike: 0, spikeMs: 5}
const TIME = createBuiltinTokenizer().encode(' time')[0]!

describe('injected faults', () => {
  it('come in their shares', () => {
    const deal = createFaultDealer({...NONE, error: 0.1, tooMany: 0.2, cut: 0.1, stall: 0.05, spike: 0.05}, 7)
    const counts: Record<string, number> = {}
    for (let request = 0; request < 20_000; request++) {
      const kind = deal()?.kind ?? 'none'
      counts[kind] = (counts[kind] ?? 0) + 1
    }
    const expected = {error: 2000, tooMany: 4000, cut: 2000, stall: 1000, spike: 1000, none: 10_000}
    // Five standard deviations of the largest: √(20,000 · ½ · ½) ≈ 71.
    for (const [kind, count] of Object.entries(expected)) expect(counts[kind], kind).to.be.closeTo(count, 355)
  })

  it('are the same for the same seed', () => {
    const rates = {...NONE, error: 0.3, cut: 0.3}
    const [one, two] = [createFaultDealer(rates, 3), createFaultDealer(rates, 3)]
    for (let request = 0; request < 100; request++) expect(one()).to.deep.equal(two())
  })

  it('never come at rates of 0', () => {
    const deal = createFaultDealer(NONE, 1)
    for (let request = 0; request < 100; request++) expect(deal()).to.equal(null)
  })

  describe('on a server', () => {
    let engine: ScriptedEngine
    let server: EngineServer
    let fault: Fault
    beforeEach(async () => {
      engine = scriptedEngine(() => Array<number>(12).fill(TIME))
      server = await serveEngine(engine, {dealFault: () => fault})
    })
    afterEach(() => server.close())

    const stream = async (): Promise<Response> =>
      server.post('/v1/completions', {prompt: 'Hi', max_tokens: 12, stream: true})

    for (const [kind, status] of [
      ['error', 500],
      ['tooMany', 429],
    ] as const) {
      it(`answer ${status} without troubling the engine`, async () => {
        fault = {kind}
        expect((await stream()).status).to.equal(status)
        expect(engine.submitted).to.have.length(0)
      })
    }

    it('break a stream after its tokens, and free the sequence', async () => {
      fault = {kind: 'cut', afterTokens: 3}
      const response = await stream()
      const body = response.text().then(
        () => 'whole',
        () => 'broken',
      )
      await engine.run()
      expect(await body).to.equal('broken')
      expect(engine.aborted).to.have.length(1)
      expect(server.app.inFlight.requests).to.equal(0)
    })

    it('hold a stream up and then give all that was missed', async () => {
      fault = {kind: 'stall', afterTokens: 3, ms: 5}
      const response = await stream()
      await engine.run()
      const pieces = [...(await response.text()).matchAll(/"text":"([^"]*)"/g)].map(match => match[1])
      expect(pieces.slice(0, 3)).to.deep.equal([' time', ' time', ' time'])
      expect(pieces.join('')).to.equal(' time'.repeat(12))
      expect(pieces).to.have.length(4)
    })

    it('forget a client that leaves during a spike', async () => {
      fault = {kind: 'spike', ms: 30}
      const leave = new AbortController()
      const pending = fetch(`${server.url}/v1/completions`, {
        method: 'POST',
        headers: {'content-type': 'application/json'},
        body: JSON.stringify({prompt: 'Hi', stream: true}),
        signal: leave.signal,
      }).catch(() => 'left')
      while (server.app.inFlight.requests === 0) await new Promise(resolve => setTimeout(resolve, 1))
      leave.abort()
      expect(await pending).to.equal('left')
      while (server.app.inFlight.requests > 0) await new Promise(resolve => setTimeout(resolve, 1))
      expect(engine.unfinished).to.equal(0)
    })
  })
})
