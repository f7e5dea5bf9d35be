import {Flags} from '@oclif/core'
import {SegmentCommand} from '../cli/segment-command.js'
import {pruneJson, pruneSegments, type PruneJson} from '../lib/segments/index.js'

export default class Prune extends SegmentCommand {
  static override summary = 'remove the segments of engines that are proven dead'
  static override description = `Watches every segment for up to 1.2 s, holding its lock for 0.15 s of it. One that something reads, whose name a living
process has or could have, that cannot be watched from here, or that is not kvcached's is kept, and stderr says why.`
  static override examples = [
    '<%= config.bin %> <%= command.id %> --dry-run',
    '<%= config.bin %> <%= command.id %>',
  ]
  static override enableJsonFlag = true
  static override flags = {
    'dry-run': Flags.boolean({default: false, description: 'only say what would be removed'}),
  }

  async run(): Promise<PruneJson[]> {
    const {flags} = await this.parse(Prune)
    const isDryRun = flags['dry-run']
    const findings = await pruneSegments(await this.segments(), {isDryRun, signal: this.signal})
    for (const {name, verdict, because, isRemoved} of findings) {
      if (isRemoved) this.log(`${isDryRun ? 'Would delete' : 'Deleted'} IPC '${name}'.`)
      else if (!this.jsonEnabled()) this.note(`kept ${name}: ${verdict}, ${because}`)
    }
    if (!findings.some(({isRemoved}) => isRemoved)) this.log('No stale segments found.')
    return findings.map(finding => pruneJson(finding, isDryRun))
  }
}
