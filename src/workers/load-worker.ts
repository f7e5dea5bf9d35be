/** The process that sends and measures. It takes orders from its parent only, and does not outlive it. */
import {runLoadJob, type LoadOrder, type LoadReport} from '../lib/bench/index.js'

const abort = new AbortController()
const report = (message: LoadReport): void => {
  if (process.connected) process.send!(message)
}

process.on('disconnect', () => process.exit(0))
// Ctrl-C in a terminal reaches this process too; the parent decides what it means.
process.on('SIGINT', () => undefined)
process.on('message', (order: LoadOrder) => {
  if (order.kind === 'stop') {
    abort.abort()
    return
  }
  // The parent closes the channel when it has the last report; a failure ends the process and is the parent's to tell.
  void runLoadJob(order.job, report, abort.signal)
})
