/** The process that talks to the GPU driver, and may be killed when the driver does not answer. */
import {compileLate} from '../lib/foundation/index.js'
import {serveGpuOrders, type GpuOrder, type GpuReport} from '../lib/gpu/index.js'
import {serveParent} from '../lib/processes/index.js'

compileLate()
const report: (parts: readonly GpuReport[]) => void = serveParent((order: GpuOrder) => serve(order))
const serve = serveGpuOrders(report)
