import {expect} from 'chai'
import {modelFigures} from '../../../src/lib/monitor/model-figures.js'

const figuresOf = (models: unknown, traffic: unknown, sleep: unknown) =>
  modelFigures('http://c', 5, {models, traffic, sleep})

describe('the models of a controller', () => {
  it('have traffic, phase and health of its three documents', () => {
    const replicas = [{healthy: true}, {healthy: false}]
    const traffic = {
      ...{total_requests: 12, failed_requests: 2, request_rate: 0.5, avg_response_time: 1.25},
      ...{idle_time_seconds: 3, in_flight_requests: 1, waiting_requests: 4},
    }
    const [model] = figuresOf(
      {models: {m: {endpoint: 'http://e', phase: 'asleep', replicas}}},
      {traffic_stats: {m: traffic}},
      {sleeping_models: {m: {sleep_duration: 60}}},
    )
    expect(model).to.deep.equal({
      ...{name: 'm', controller: 'http://c', readAtMs: 5, phase: 'asleep', asleepForMs: 60_000},
      ...{engines: 2, healthyEngines: 1, requests: 12, failed: 2, requestsPerSecond: 0.5},
      ...{meanAnswerMs: 1250, inFlight: 1, waiting: 4, idleMs: 3000},
    })
  })

  it("of kvcached's own have what that tells, and the rest is unknown", () => {
    const models = figuresOf(
      {models: {a: {endpoint: 'http://e'}, b: {endpoint: 'http://f'}}},
      {traffic_stats: {}, window_seconds: 60},
      {sleeping_models: {b: {sleep_duration: 1.5}}},
    )
    expect(models.map(({name, phase, asleepForMs}) => [name, phase, asleepForMs])).to.deep.equal([
      ['a', 'awake', null],
      ['b', 'asleep', 1500],
    ])
    expect(models[0]).to.include({engines: 1, healthyEngines: null, requests: null, idleMs: null})
  })

  it('are none where the document is another one', () => {
    for (const document of [null, [], 'x', {object: 'list', data: []}])
      expect(figuresOf(document, null, null)).to.deep.equal([])
  })
})
