import {join} from 'node:path'
import {packageRoot} from '../foundation/index.js'

/** The compiled entry file of a run's process. */
export const benchJobPath = join(packageRoot, 'dist/workers/bench-job.js')
