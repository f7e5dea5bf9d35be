import {Flags} from '@oclif/core'
import {formatSize, systemClock} from '../lib/foundation/index.js'
import {awaitLimit, limitJson, setLimit, type LimitJson, type LimitRequest} from '../lib/segments/index.js'
import {durationFlag} from './flags.js'
import {SegmentCommand} from './segment-command.js'
import {whileWaiting} from './waiting-line.js'

/** The flags that `limit` and `limit-percent` share. Not a static: oclif's manifest looks no further than a class without statics. */
export const limitFlags = {
  wait: Flags.boolean({default: false, description: 'wait until the engine respects a lower limit'}),
  timeout: durationFlag({
    description: "how long to wait for the segment's lock and, with --wait, for the engine",
    default: 10_000,
    defaultHelp: async () => '10s',
  }),
  force: Flags.boolean({
    default: false,
    description: 'also write what the engine would ignore or could crash on',
  }),
}

/** What `limit` and `limit-percent` share: waiting, forcing, writing and telling what became of it. */
export abstract class LimitCommand extends SegmentCommand {
  protected async writeLimit(
    name: string,
    request: LimitRequest,
    flags: {readonly wait: boolean; readonly timeout: number},
  ): Promise<LimitJson> {
    const store = await this.segments()
    const patience = {clock: systemClock, timeoutMs: flags.timeout, signal: this.signal}
    const written = await whileWaiting(
      `Waiting for the lock of ${name}`,
      flags.timeout,
      setLimit(store, name, request, patience),
    )
    const {before, limitBytes} = written
    if (limitBytes < before.limitBytes && before.usedBytes > limitBytes) {
      this.log(`No enough free space to decrease for the new kv_cache_limit for ${written.name}`)
    }
    this.log(`Updated kv cache limit for ${written.name} to ${formatSize(limitBytes)} (${limitBytes} bytes)`)
    const change = flags.wait
      ? await whileWaiting(
          `Waiting for the engine of ${name}`,
          flags.timeout,
          awaitLimit(store, written, patience),
        )
      : written
    if (!this.jsonEnabled())
      this.note(`${change.outcome}${change.explanation === null ? '' : `: ${change.explanation}`}`)
    return limitJson(change)
  }
}
