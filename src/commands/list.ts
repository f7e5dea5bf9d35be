import {Args} from '@oclif/core'
import {wideFlag} from '../cli/flags.js'
import {SegmentCommand} from '../cli/segment-command.js'
import {segmentTable, tableStyle} from '../cli/table.js'
import {EXIT} from '../lib/foundation/index.js'
import {lookAtSegments, segmentJson, type SegmentJson} from '../lib/segments/index.js'

export default class List extends SegmentCommand {
  static override summary = 'show KV-cache segments: limit, used, %, state, owner'
  static override description = `Without names, every segment in /dev/shm. With names, those, in that order; a missing one is told on stderr and makes the exit status 4.

The state is judged by what /proc and kvctl's memory show, so that looking costs an engine nothing: live (its engine runs),
idle (a process that could be its engine runs), stale (its engine is gone), foreign (not kvcached's, or another user's) or
unknown. kvctl prune looks closer. --json gives the reason.`
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> kvcached_vLLM_12345 --wide',
    "<%= config.bin %> <%= command.id %> --json | jq '.[] | {ipc, percent}'",
  ]
  static override enableJsonFlag = true
  static override args = {
    name: Args.string({multiple: true, ignoreStdin: true, description: 'a segment (several may be given)'}),
  }

  static override flags = {wide: wideFlag}

  async run(): Promise<SegmentJson[]> {
    const {args, flags} = await this.parse(List)
    const {looks, missing} = await lookAtSegments(await this.segments(), args.name ?? [])
    for (const {reason} of missing) this.note(`Error: ${reason.message}`)
    for (const {name, isSettled, state} of looks) {
      if (!isSettled)
        this.note(`${name} is locked by another process; its figures may be in the middle of a change`)
      if (!this.jsonEnabled()) for (const {message} of state.warnings) this.note(`${name}: ${message}`)
    }
    if (missing.length > 0) process.exitCode = EXIT.resource
    if (looks.length > 0)
      this.log(segmentTable(looks, [], tableStyle(process.stdout, process.env, flags.wide)))
    else if (missing.length === 0) this.log('No active KVCached segments found.')
    return looks.map(segmentJson)
  }
}
