/** The process that talks to the GPU driver, and may be killed when the driver does not answer. */
import {serveGpuOrders, type GpuOrder} from '../lib/gpu/index.js'

process.on('disconnect', () => process.exit(0))

const serve = serveGpuOrders(part => {
  if (process.connected) process.send!(part)
})
process.on('message', (order: GpuOrder) => serve(order))
