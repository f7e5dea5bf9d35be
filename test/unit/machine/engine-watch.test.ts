import {expect} from 'chai'
import {VirtualClock} from '../../../src/lib/foundation/index.js'
import {createHttpClient, type HttpClient} from '../../../src/lib/http/index.js'
import {createEngineWatch, type EngineLook, type EngineWatch} from '../../../src/lib/machine/index.js'
import {engineServer, type EnginePage} from '../../support/engine-page.js'

describe('a watch over engines', () => {
  let http: HttpClient
  let engine: EnginePage
  let clock: VirtualClock
  beforeEach(async () => {
    clock = new VirtualClock(1e12)
    http = createHttpClient()
    engine = await engineServer({blocks: '1000', usage: 0.5})
  })
  afterEach(async () => {
    engine.close()
    await http.close()
  })
  const watch = (...configured: string[]): EngineWatch =>
    createEngineWatch({configured, http, clock, procFolder: '/proc'})
  const later = (ms: number): void => clock.advanceTo(clock.nowNs() + ms * 1e6)
  const one = async (watched: EngineWatch): Promise<EngineLook> => (await watched.look([]))[0]!

  it('tells blocks, figures, model and where its weights come from', async () => {
    engine.show({model: 'served', root: '/models/llama'})
    expect(await one(watch(engine.url))).to.deep.include({
      state: 'ok',
      kind: 'vllm',
      model: 'served',
      modelRoot: '/models/llama',
    })
  })

  it('reads a page once for all who look within a moment', async () => {
    const watched = watch(engine.url)
    await Promise.all(Array.from({length: 20}, () => watched.look([])))
    await watched.look([])
    expect(engine.reads()).to.equal(1)
    later(250)
    engine.show({blocks: '1000', usage: 0.75})
    expect((await one(watched)).pools[0]!.usage).to.equal(0.75)
    expect(engine.reads()).to.equal(2)
  })

  it('does not wait for one that became slow, and tells it as it was', async () => {
    const watched = watch(engine.url)
    await watched.look([])
    later(250)
    engine.delay(600)
    engine.show({blocks: '1000', usage: 0.9})
    expect((await one(watched)).pools[0]!.usage).to.equal(0.5)
    while ((await one(watched)).pools[0]!.usage === 0.5) later(250)
    expect((await one(watched)).pools[0]!.usage).to.equal(0.9)
  })

  it('says which answers nothing, and which answers without being an engine', async () => {
    engine.show({cores: []})
    const gone = await engineServer()
    gone.close()
    const [silent, unreachable] = await watch(engine.url, gone.url).look([])
    expect([silent!.state, unreachable!.state]).to.deep.equal(['silent', 'unreachable'])
    expect(silent!.pools).to.deep.equal([])
  })
})
