/** A process that sends and measures. It takes orders from its parent only, and does not outlive it. */
import {runLoadJob, type LoadOrder, type LoadReport} from '../lib/bench/index.js'
import {serveParent} from '../lib/processes/index.js'

const abort = new AbortController()
const [begin, measure] = [gate(), gate()]

const report: (report: LoadReport) => void = serveParent((order: LoadOrder) => {
  switch (order.kind) {
    case 'prepare':
      // The parent closes the channel when it has the last report; a failure ends the process and is the parent's to tell.
      void runLoadJob(order.job, report, {begin: begin.opened, measure: measure.opened}, abort.signal)
      break
    case 'begin':
      begin.open(order.originNs)
      break
    case 'measure':
      measure.open(order.startNs)
      break
    case 'stop':
      abort.abort()
      break
  }
})

/** Opened once, by an order of the parent or by `stop`, after which nothing is sent anyway. */
function gate(): {open: (ns: number) => void; opened: () => Promise<number>} {
  let open: (ns: number) => void = () => undefined
  const opened = new Promise<number>(resolve => (open = resolve))
  abort.signal.addEventListener('abort', () => open(Number(process.hrtime.bigint())))
  return {open, opened: () => opened}
}
