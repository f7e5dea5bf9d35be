import {expect} from 'chai'
import {PeriodicTask, summaryOf} from '../../../src/lib/tiers/periodic-task.js'
import {eventually} from '../../support/cache-worker.js'

describe('a periodic task', () => {
  let task: PeriodicTask | undefined
  afterEach(() => task?.stop())

  it('goes on after a run that failed, which it tells and counts', async () => {
    const told: string[] = []
    let runs = 0
    task = new PeriodicTask({
      ...{name: 'counting', level: 'low', intervalMs: 1},
      run() {
        if (++runs === 1) throw new Error('not yet')
        return `run ${runs}`
      },
      logger: {debug() {}, info() {}, warn() {}, error: text => void told.push(text)},
    })
    await eventually(() => task!.runs >= 3)
    expect(told).to.deep.equal(['counting: not yet'])
    expect(task.failedRuns).to.equal(1)
    expect(task.lastRun).to.include({hasFailed: false, message: `run ${runs}`})
    task.stop()
    const {runs: atEnd} = task
    await new Promise(resolve => setTimeout(resolve, 10))
    expect([task.isRunning, task.isActive, task.runs]).to.deep.equal([false, false, atEnd])
    expect(summaryOf([task])).to.deep.include({
      ...{all: {total: 1, running: 0, active: 0}, low: {total: 1, running: 0, active: 0}},
    })
  })

  it('is active from its beginning on, before its first run', () => {
    const logger = {debug() {}, info() {}, warn() {}, error() {}}
    task = new PeriodicTask({name: 'slow', level: 'high', intervalMs: 600_000, run: () => '', logger})
    expect([task.isRunning, task.isActive, task.runs, task.lastRun]).to.deep.equal([true, true, 0, null])
  })
})
