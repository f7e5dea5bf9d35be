import {expect} from 'chai'
import {
  findGpu,
  findModel,
  kvBytesPerToken,
  modelledBlocks,
  MODELS,
  parameterCount,
} from '../../../src/lib/engine/index.js'
import {constantTiming} from '../../../src/lib/engine/core/timing/constant.js'
import {LINEAR_DEFAULTS, linearTiming} from '../../../src/lib/engine/core/timing/linear.js'
import {rooflineParts} from '../../../src/lib/engine/core/timing/roofline.js'
import {shapeOf, type StepShape} from '../../../src/lib/engine/core/timing/step-shape.js'
import {stepTimer} from '../../../src/lib/engine/core/timing/step-timer.js'

const decodes = (count: number, context: number): StepShape => ({
  prefills: [],
  decodeContexts: Array<number>(count).fill(context),
})
const prefill = (newTokens: number, computedTokens = 0): StepShape => ({
  prefills: [{newTokens, computedTokens, isLast: true}],
  decodeContexts: [],
})

describe('roofline timing', () => {
  const rows: [
    model: string,
    gpu: string,
    what: string,
    shape: StepShape,
    ms: [cpu: number, linear: number, attention: number, step: number],
  ][] = [
    ['Llama-3.1-8B', 'H100', '1 decode', decodes(1, 1024), [1.158, 6.138, 0.073, 7.368]],
    ['Llama-3.1-8B', 'H100', '32 decodes', decodes(32, 1024), [1.295, 6.138, 2.333, 9.765]],
    ['Llama-3.1-8B', 'H100', '128 decodes', decodes(128, 1024), [1.719, 6.138, 9.333, 17.19]],
    ['Llama-3.1-8B', 'H100', '256 decodes', decodes(256, 1024), [2.285, 8.634, 18.667, 29.585]],
    ['Llama-3.1-8B', 'H100', 'prefill 1024', prefill(1024), [1.158, 32.119, 0.691, 33.968]],
    ['Llama-3.1-8B', 'H100', '2048 after 6144', prefill(2048, 6144), [1.158, 64.236, 17.878, 83.272]],
    [
      'Llama-3.1-8B',
      'H100',
      'prefill 2016 + 32 decodes',
      {...prefill(2016), decodeContexts: decodes(32, 1024).decodeContexts},
      [1.299, 64.312, 4.872, 70.483],
    ],
    ['Llama-3.1-8B', 'A100', '1 decode', decodes(1, 1024), [1.158, 10.084, 0.12, 11.361]],
    ['Llama-3.1-8B', 'A100', 'prefill 1024', prefill(1024), [1.158, 120.569, 2.44, 124.167]],
    ['Llama-3.1-8B', 'H200', '1 decode', decodes(1, 1024), [1.158, 4.283, 0.051, 5.492]],
    ['Llama-3.1-8B', 'H200', '32 decodes', decodes(32, 1024), [1.295, 4.283, 1.628, 7.207]],
    ['Llama-3.1-8B', 'L4', '1 decode', decodes(1, 1024), [1.158, 68.536, 0.814, 70.508]],
    ['Llama-3.1-8B', 'L4', 'prefill 1024', prefill(1024), [1.158, 337.537, 7.31, 346.005]],
    ['Llama-3.1-8B', 'RTX 4090', '1 decode', decodes(1, 1024), [1.158, 20.398, 0.242, 21.797]],
    ['Llama-3.1-8B', 'RTX 4090', '32 decodes', decodes(32, 1024), [1.295, 20.398, 7.755, 29.447]],
    ['Qwen3-30B-A3B', 'H100', '1 decode', decodes(1, 1024), [1.671, 2.477, 0.055, 4.203]],
    ['Qwen3-30B-A3B', 'H100', '32 decodes', decodes(32, 1024), [1.808, 21.699, 1.75, 25.257]],
    ['Llama-3.2-1B', 'L4', '4 decodes', decodes(4, 512), [0.657, 11.285, 0.408, 12.35]],
    ['Llama-3.2-1B', 'L4', 'prefill 512', prefill(512), [0.644, 23.541, 0.508, 24.693]],
  ]
  for (const [model, gpu, what, shape, [cpuMs, linearMs, attentionMs, stepMs]] of rows) {
    it(`takes ${stepMs} ms for ${what} of ${model} on ${gpu}`, () => {
      const options = {
        model: findModel(model),
        gpu: findGpu(gpu),
        tensorParallel: 1,
        weightBytes: 2,
        kvBytes: 2,
      }
      const {cpu, linear, attention, communication} = rooflineParts(options)(shape)
      const near = (seconds: number, ms: number): void => {
        // 0.5 %, or half of the last digit that the expected value has.
        expect(seconds * 1000).to.be.closeTo(ms, Math.max(ms * 0.005, 0.0005))
      }
      near(cpu, cpuMs)
      near(linear, linearMs)
      near(attention, attentionMs)
      near(cpu + linear + attention + communication, stepMs)
    })
  }

  it('adds the exchange between GPUs: two per layer, of latency and of 2 bytes per hidden value', () => {
    const options = {
      model: findModel('Llama-3.1-8B'),
      gpu: findGpu('H100'),
      tensorParallel: 2,
      weightBytes: 2,
      kvBytes: 2,
    }
    const {communication} = rooflineParts(options)(decodes(10, 1))
    const bytes = ((2 * 1) / 2) * 10 * 4096 * 2
    expect(communication).to.be.closeTo(2 * 32 * (8e-6 + bytes / (900e9 * 0.35)), 1e-12)
  })

  it('reads no more than the window of a layer that has one', () => {
    const model = findModel('gpt-oss-20b')
    const options = {model, gpu: findGpu('H100'), tensorParallel: 1, weightBytes: 2, kvBytes: 2}
    const {attention} = rooflineParts(options)(decodes(1, 1000))
    const rows = 12 * (1000 + 1) + 12 * (128 + 1)
    expect(attention).to.be.closeTo((2 * 8 * 64 * 2 * rows) / (3350e9 * 0.55), 1e-12)
  })
})

describe('constant timing', () => {
  const timing = constantTiming({ttftMs: 50, itlMs: 7, prefillMsPerToken: 0.5})

  it('charges the first token once, to the last chunk of a prompt', () => {
    expect(
      timing({prefills: [{newTokens: 10, computedTokens: 0, isLast: false}], decodeContexts: []}),
    ).to.be.closeTo((7 + 10 * 0.5) / 1000, 1e-12)
    expect(timing(prefill(10, 10))).to.be.closeTo((50 + 10 * 0.5) / 1000, 1e-12)
    expect(timing(decodes(64, 100))).to.be.closeTo(7 / 1000, 1e-12)
  })

  it('takes no time at all when everything is 0', () => {
    expect(constantTiming({ttftMs: 0, itlMs: 0, prefillMsPerToken: 0})(prefill(1000))).to.equal(0)
  })
})

describe('linear timing', () => {
  it('adds up its five terms', () => {
    const shape = {...prefill(100, 50), decodeContexts: [1000, 2000]}
    const expected = 7.3e-3 + 31e-6 * 100 + 1.2e-9 * 100 * (50 + 50) + 5e-6 * 2 + 71e-9 * 3000
    expect(linearTiming(LINEAR_DEFAULTS)(shape)).to.be.closeTo(expected, 1e-12)
  })
})

describe('the pace of steps', () => {
  const steps = (jitter: number, seed: number): number[] => {
    const timer = stepTimer(() => 0.01, {speedup: 2, jitter, seed, ingressMs: 10})
    return Array.from({length: 2000}, () => timer.stepNs([]) / 1e6)
  }

  it('divides every duration by the speed-up, also what a request waits before the scheduler', () => {
    expect(steps(0, 1)[0]).to.equal(5)
    expect(stepTimer(() => 0, {speedup: 2, jitter: 0, seed: 0, ingressMs: 10}).ingressNs).to.equal(5e6)
  })

  it('varies by the jitter asked for, the same way for the same seed, never by more than 70 %', () => {
    expect(steps(0.1, 7)).to.deep.equal(steps(0.1, 7)).and.not.deep.equal(steps(0.1, 8))
    const values = steps(0.1, 7)
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length
    const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length
    expect(mean).to.be.closeTo(5, 0.05)
    expect(Math.sqrt(variance)).to.be.closeTo(0.5, 0.05)
    expect(Math.max(...steps(5, 7))).to.be.closeTo(5 * 1.7, 1e-9)
    expect(Math.min(...steps(5, 7))).to.be.closeTo(5 * 0.3, 1e-9)
  })

  it('counts a single token behind others as decode, everything else as prefill', () => {
    const work = (computedTokens: number, newTokens: number) =>
      ({sequence: null as never, computedTokens, newTokens, samples: true}) as const
    expect(shapeOf([work(0, 1), work(5, 1), work(5, 2)])).to.deep.equal({
      prefills: [
        {newTokens: 1, computedTokens: 0, isLast: true},
        {newTokens: 2, computedTokens: 5, isLast: true},
      ],
      decodeContexts: [5],
    })
  })
})

describe('the catalogue', () => {
  const known: [name: string, billions: number, kvBytes: number][] = [
    ['Llama-3.2-1B', 1.24, 32_768],
    ['Llama-3.2-3B', 3.21, 114_688],
    ['Llama-3.1-8B', 8.03, 131_072],
    ['Llama-3.1-70B', 70.55, 327_680],
    ['Llama-3.3-70B', 70.55, 327_680],
    ['Mistral-7B-v0.3', 7.25, 131_072],
    ['Qwen2.5-0.5B', 0.49, 12_288],
    ['Qwen2.5-7B', 7.62, 57_344],
    ['Qwen3-0.6B', 0.6, 114_688],
    ['Qwen3-8B', 8.19, 147_456],
    ['Qwen3-32B', 32.76, 262_144],
    ['Qwen3-30B-A3B', 30.5, 98_304],
    ['Gemma-3-1B', 1, 26_624],
    ['Gemma-3-4B', 3.9, 139_264],
    ['Gemma-3-12B', 11.8, 393_216],
    ['Gemma-3-27B', 27, 507_904],
    ['gpt-oss-20b', 20.9, 49_152],
    ['gpt-oss-120b', 116.8, 73_728],
    ['DeepSeek-V3', 671, 70_272],
  ]
  for (const [name, billions, kvBytes] of known) {
    it(`knows ${name}: ${billions} B parameters, ${kvBytes} bytes of KV cache a token`, () => {
      const model = findModel(name)
      expect(parameterCount(model) / 1e9).to.be.closeTo(billions, Math.max(billions * 0.01, 0.006))
      expect(kvBytesPerToken(model)).to.equal(kvBytes)
    })
  }

  it('has a row of expectations for every model', () => {
    expect(MODELS.map(model => model.name)).to.have.members(known.map(([name]) => name))
  })

  it('finds models by repository and any case, and says what it knows when it does not', () => {
    expect(findModel('meta-llama/llama-3.1-8b-instruct').name).to.equal('Llama-3.1-8B')
    expect(findModel('meta-llama/Llama-3.1-8B').name).to.equal('Llama-3.1-8B')
    expect(() => findModel('Llama-9'))
      .to.throw("'Llama-9' is not a known model")
      .with.property('code', 'MODEL_UNKNOWN')
  })

  it('never takes an A100 for an A10', () => {
    expect(findGpu('A10').name).to.equal('A10')
    expect(findGpu('NVIDIA A100-SXM4-80GB').name).to.equal('A100-80GB')
    expect(() => findGpu('A1'))
      .to.throw("'A1' is not a known GPU")
      .with.property('code', 'GPU_UNKNOWN')
  })

  it('fits 26,966 blocks of an 8B model beside its weights on an H100', () => {
    const options = {blockSize: 16, gpuMemoryUtilization: 0.92, tensorParallel: 1, weightBytes: 2, kvBytes: 2}
    const blocks = modelledBlocks(findModel('Llama-3.1-8B'), findGpu('H100'), options)
    // (0.92 · 79.65 − 14.96 − 5.5 − 0.15) GiB / 2 MiB, where the weights are rounded
    expect(blocks).to.be.closeTo(26_966, 10)
  })
})
