/** Asks a GPU driver once how it is, in a process that may be killed when it does not answer. */
import {serveDriverProbe, type ProbeOrder} from '../lib/gpu/index.js'

process.on('disconnect', () => process.exit(0))

const serve = serveDriverProbe(report => {
  if (process.connected) process.send!(report)
})
process.on('message', (order: ProbeOrder) => serve(order))
