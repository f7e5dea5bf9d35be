/** The process that talks to the GPU driver, and may be killed when the driver does not answer. */
import {serveGpuOrders, type GpuOrder} from '../lib/gpu/index.js'

process.on('disconnect', () => process.exit(0))
// Ctrl-C in a terminal reaches this process too; the parent decides what it means.
process.on('SIGINT', () => undefined)

const serve = serveGpuOrders(part => {
  if (process.connected) process.send!(part)
})
process.on('message', (order: GpuOrder) => serve(order))
