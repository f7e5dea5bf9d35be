import {expect} from 'chai'
import {serverCharts} from '../../../src/lib/report/charts/server-charts.js'
import type {ServerSample} from '../../../src/lib/report/index.js'

const look = (atMs: number, changes: Partial<ServerSample>): ServerSample => ({
  ...{atMs, running: null, waiting: null, gpuUtilization: null, gpuPowerWatts: null},
  ...changes,
})

describe('serverCharts', () => {
  it('draws what ran and waited, and GPUs only where there are some', () => {
    const queue = [look(0, {running: 4, waiting: 0}), look(500, {running: 8, waiting: 3})]
    const charts = serverCharts(queue, 1000)
    expect(charts.map(({id}) => id)).to.deep.equal(['server-queue'])
    expect(charts[0]).to.include({reading: 'At most 8 ran and 3 waited at once.'})
    const gpus = [
      look(0, {gpuUtilization: 0.5, gpuPowerWatts: 300}),
      look(900, {gpuUtilization: 1, gpuPowerWatts: 500}),
    ]
    const all = serverCharts([...queue, ...gpus], 1000)
    expect(all.map(({id}) => id)).to.deep.equal(['server-queue', 'gpu-utilization', 'gpu-power'])
    const readings = all.map(chart => ('reading' in chart ? chart.reading.replaceAll(/\s/g, ' ') : ''))
    expect(readings[1]).to.equal('A kernel ran 75 % of the time, as the mean of the GPUs that served.')
    expect(readings[2]).to.equal('400 W on average, at most 500 W, of the GPUs that served together.')
  })

  it('says why there is nothing to draw', () => {
    expect(serverCharts([], 1000)[0]).to.have.property('reason')
    expect(serverCharts([look(-5, {running: 1})], 1000)[0]).to.have.property('reason')
  })
})
