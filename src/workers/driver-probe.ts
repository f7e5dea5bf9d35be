/** Asks a GPU driver once how it is, in a process that may be killed when it does not answer. */
import {serveDriverProbe, type ProbeOrder, type ProbeReport} from '../lib/gpu/index.js'
import {serveParent} from '../lib/processes/index.js'

const report: (report: ProbeReport) => void = serveParent((order: ProbeOrder) => serve(order))
const serve = serveDriverProbe(report)
