import {expect} from 'chai'
import {readStoredPlan, storePlan} from '../../../src/lib/bench/stored-plan.js'
import {benchOptions} from '../../support/load-job.js'

/** As the first kvctl that could resume wrote it, with its seal. */
const OLD_PLAN = {
  ...{
    model: 'toy',
    prompt_words: 197,
    pattern: 'steady',
    requests: 40,
    concurrency: 4,
    rate_per_second: null,
  },
  ...{duration_seconds: null, max_concurrency: null, warmup_requests: 2, burstiness: 1},
  ...{ramp_from_per_second: 0, on_seconds: 5, off_seconds: 5, api: 'chat', stream: true, max_tokens: 16},
  ...{temperature: 0, top_p: null, ignore_eos: true, prompt: {tokens: 256}, extra_body: {}},
  timeout_ms: {connect: 10_000, ttft: null, idle: 60_000, total: 300_000},
  ...{arrival_seed: 42, prompt_seed: 1_234_567},
  sha256: '1af2d410b6dd1b316a40f897ae6b99220b7cea72377c233b03d8b2c372f4ef3f',
}

describe('the plan that a run keeps', () => {
  it('is read as it was written', () => {
    const record = {
      ...{model: 'toy', fit: {words: 12, tokensPerWord: 1.5, overheadTokens: 4}},
      options: benchOptions({cancelShare: 0.5, request: {...benchOptions().request, headers: {a: 'b'}}}),
    }
    const stored: unknown = JSON.parse(JSON.stringify(storePlan(record)))
    expect(readStoredPlan(stored, 'meta.json')).to.deep.equal(record)
  })

  it('of an older kvctl is what that one did', () => {
    const {options, fit, model} = readStoredPlan(OLD_PLAN, 'meta.json')
    expect({model, words: fit.words}).to.deep.equal({model: 'toy', words: 197})
    expect(options).to.deep.include({
      ...{requests: 40, concurrency: 4, promptSeed: 1_234_567},
      ...{cancelShare: 0, connections: 'kept', urlOrder: 'in-turn', stages: [], rampUpMs: 0},
    })
    expect(options.request).to.deep.include({maxTokens: 16, lengthKey: 'max_tokens', headers: {}})
  })

  it('is refused when it was changed, and when a newer kvctl says more in it', () => {
    expect(() => readStoredPlan({...OLD_PLAN, requests: 41}, 'meta.json')).to.throw(
      /is not the one that was sent/,
    )
    expect(() => readStoredPlan({...OLD_PLAN, cancel_share: 0}, 'meta.json')).to.throw(
      /is not the one that was sent/,
    )
    expect(() => readStoredPlan({...OLD_PLAN, spins: 3}, 'meta.json')).to.throw(
      'the plan in meta.json says more than this kvctl understands: spins',
    )
  })
})
