import {SegmentNotFoundError, type SegmentStore} from '../lib/segments/index.js'
import {segmentStore} from '../wiring/index.js'
import {KvctlCommand} from './kvctl-command.js'

/** A command on one segment: where it is missing, the names that could have been meant follow the error. */
export abstract class SegmentCommand extends KvctlCommand {
  protected async segments(): Promise<SegmentStore> {
    return segmentStore(this.logger)
  }

  protected override async catch(error: Error): Promise<void> {
    await super.catch(error)
    if (!(error instanceof SegmentNotFoundError) || this.jsonEnabled()) return
    const names = (await (await this.segments()).list()).map(({name}) => name)
    if (names.length > 0) this.note(`Active IPC names: ${names.join(', ')}`)
  }
}
