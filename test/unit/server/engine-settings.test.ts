import {expect} from 'chai'
import {ConfigurationError} from '../../../src/lib/foundation/index.js'
import {engineSettings, parseTokenCount, type EngineFlags} from '../../../src/server/engine-settings.js'

const FLAGS: EngineFlags = {
  model: undefined,
  servedModelNames: [],
  maxModelLen: undefined,
  blockSize: 16,
  numGpuBlocks: 4096,
  maxNumSeqs: 256,
  maxNumBatchedTokens: 2048,
  longPrefillTokenThreshold: 0,
  enablePrefixCaching: true,
  enableChunkedPrefill: true,
  schedulingPolicy: 'fcfs',
  seed: 0,
  timing: undefined,
  ttftMs: undefined,
  itlMs: undefined,
  gpuType: 'H100',
  tensorParallelSize: 1,
  kvCacheDtype: 'auto',
  speedup: 1,
  jitter: 0,
  meanAnswerTokens: 256,
  verifyKv: false,
}
const settings = (flags: Partial<EngineFlags>) => engineSettings({...FLAGS, ...flags}, null, null)

describe('token counts', () => {
  const counts: [string, number][] = [
    ['4096', 4096],
    ['32k', 32_000],
    ['32K', 32 * 1024],
    ['1.5k', 1500],
    ['1m', 1_000_000],
    ['1M', 2 ** 20],
  ]
  for (const [text, count] of counts) {
    it(`reads ${text} as ${count}`, () => expect(parseTokenCount(text)).to.equal(count))
  }
  for (const text of ['', '0', '-1', '1.5', '32kb', 'k', '1e3']) {
    it(`refuses '${text}' and repeats it`, () => {
      expect(() => parseTokenCount(text)).to.throw(ConfigurationError, `'${text}'`)
    })
  }
})

describe("an engine's settings", () => {
  it('play an 8B model on an H100 by its roofline when nothing is said', () => {
    const {names, engine, info} = settings({})
    expect(names).to.deep.equal(['meta-llama/Llama-3.1-8B-Instruct'])
    expect(engine.timing?.mode).to.equal('roofline')
    expect([info['timing_model'], info['timing_gpu']]).to.deep.equal(['Llama-3.1-8B', 'H100'])
  })

  it('take constant times where one is given, and any model name then', () => {
    const {engine, root} = settings({itlMs: 10, model: 'my/own'})
    expect(engine.timing).to.deep.equal({mode: 'constant', ttftMs: 0, itlMs: 10, prefillMsPerToken: 0})
    expect(root).to.equal('my/own')
  })

  it('refuse constant times for another clock', () => {
    expect(() => settings({ttftMs: 10, timing: 'roofline'})).to.throw(ConfigurationError, '--timing roofline')
  })

  it('refuse models and GPUs that the roofline does not know', () => {
    expect(() => settings({model: 'my/own'})).to.throw(ConfigurationError, "'my/own'")
    expect(() => settings({gpuType: 'A1000'})).to.throw(ConfigurationError, "'A1000'")
  })

  it('bound the length by the model, by 32,768 and by the pool', () => {
    expect(settings({model: 'Qwen/Qwen2.5-0.5B-Instruct', numGpuBlocks: 65_536}).engine.maxModelLen).to.equal(
      32_768,
    )
    expect(settings({}).engine.maxModelLen).to.equal(32_768)
    expect(settings({numGpuBlocks: 65}).engine.maxModelLen).to.equal(64 * 16)
    expect(settings({maxModelLen: 'auto'}).engine.maxModelLen).to.equal(32_768)
  })

  it('refuse a length that the pool can never hold', () => {
    expect(() => settings({maxModelLen: '2k', numGpuBlocks: 65})).to.throw(ConfigurationError, 'holds 1024')
  })

  it('serve under the names given, the first one foremost', () => {
    expect(settings({servedModelNames: ['a', 'b']}).names).to.deep.equal(['a', 'b'])
  })

  it('begin the chain of prefix hashes at PYTHONHASHSEED, as vLLM does', () => {
    expect(engineSettings(FLAGS, null, '7').engine.hashSeed).to.equal('7')
  })

  it('count one byte a KV element with fp8', () => {
    const {timing} = settings({kvCacheDtype: 'fp8_e4m3'}).engine
    expect(timing?.mode === 'roofline' && timing.kvBytes).to.equal(1)
  })
})
