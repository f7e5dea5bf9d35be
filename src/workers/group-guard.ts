/** A process that outlives `kvctl launch` when that is killed, to end the programs that it started. */
import {guardGroups} from '../lib/processes/index.js'

await guardGroups(process.stdin)
