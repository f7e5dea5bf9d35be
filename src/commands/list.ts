import {Args} from '@oclif/core'
import {SegmentCommand} from '../cli/segment-command.js'
import {canColor, segmentTable} from '../cli/table.js'
import {EXIT} from '../lib/foundation/index.js'
import {lookAtSegments, segmentJson, type SegmentJson} from '../lib/segments/index.js'

export default class List extends SegmentCommand {
  static override summary = 'show KV-cache segments: limit, used, %'
  static override description =
    'Without names, every segment in /dev/shm. With names, those, in that order; a missing one is told on stderr and makes the exit status 4.'
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> kvcached_vLLM_12345',
    "<%= config.bin %> <%= command.id %> --json | jq '.[] | {ipc, percent}'",
  ]
  static override enableJsonFlag = true
  static override args = {
    name: Args.string({multiple: true, ignoreStdin: true, description: 'a segment (several may be given)'}),
  }

  async run(): Promise<SegmentJson[]> {
    const {args} = await this.parse(List)
    const {looks, missing} = await lookAtSegments(await this.segments(), args.name ?? [])
    for (const {reason} of missing) this.note(`Error: ${reason.message}`)
    for (const {name, isSettled} of looks) {
      if (!isSettled)
        this.note(`${name} is locked by another process; its figures may be in the middle of a change`)
    }
    if (missing.length > 0) process.exitCode = EXIT.resource
    if (looks.length > 0) this.log(segmentTable(looks, [], canColor(process.stdout, process.env)))
    else if (missing.length === 0) this.log('No active KVCached segments found.')
    return looks.map(segmentJson)
  }
}
