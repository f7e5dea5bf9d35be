/** A process that runs one benchmark for a service. It does not outlive its parent. */
import {createLogger} from '../lib/foundation/index.js'
import {runJob, type JobOrder, type JobReport} from '../lib/jobs/index.js'
import {serveParent} from '../lib/processes/index.js'
import {benchParts} from '../wiring/index.js'

const abort = new AbortController()

const report: (report: JobReport) => void = serveParent((order: JobOrder) => {
  if (order.kind === 'cancel') abort.abort(new Error('cancelled'))
  else void run(order)
})

async function run(order: Extract<JobOrder, {kind: 'run'}>): Promise<void> {
  const logger = createLogger('warn', line => process.stderr.write(line), false)
  const parts = await benchParts(logger, {outputDir: order.runPath, isInsecure: false})
  try {
    await runJob(order, parts, report, abort.signal)
  } finally {
    await parts.close()
  }
}
