import {Args, Flags} from '@oclif/core'
import {durationFlag, wideFlag} from '../cli/flags.js'
import {createRedraw, type Redraw} from '../cli/redraw.js'
import {SegmentCommand} from '../cli/segment-command.js'
import {segmentTable, tableStyle} from '../cli/table.js'
import {ConfigurationError} from '../lib/foundation/index.js'
import {segmentJson, watchSegments, type SegmentsLook} from '../lib/segments/index.js'

const SHORTEST_INTERVAL_MS = 10

export default class Watch extends SegmentCommand {
  static override summary = 'show KV-cache segments again and again'
  static override description =
    'Redraws the table of kvctl list on a terminal; elsewhere prints one table after another, and with --json one object per line. Ctrl-C ends it.'
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> -n 0.2 kvcached_vLLM_12345',
    '<%= config.bin %> <%= command.id %> --json --count 60 > segments.jsonl',
  ]
  static override enableJsonFlag = true
  static override args = {
    name: Args.string({
      multiple: true,
      ignoreStdin: true,
      description: 'a segment (several may be given; default all)',
    }),
  }
  static override flags = {
    interval: durationFlag({
      char: 'n',
      description: 'time between looks',
      default: 1000,
      defaultHelp: async () => '1s',
    }),
    wide: wideFlag,
    count: Flags.integer({description: 'end after this many looks', min: 1, helpValue: 'N'}),
  }

  async run(): Promise<void> {
    const {args, flags} = await this.parse(Watch)
    if (flags.interval < SHORTEST_INTERVAL_MS) {
      throw new ConfigurationError(
        'INTERVAL_INVALID',
        `an interval of ${flags.interval} ms is below ${SHORTEST_INTERVAL_MS} ms`,
      )
    }
    const store = await this.segments()
    const {signal} = this
    const redraw = process.stdout.isTTY && !this.jsonEnabled() ? createRedraw(process.stdout) : null
    const watched = new Promise<void>((resolve, reject) => {
      signal.addEventListener('abort', () => resolve())
      const end = new AbortController()
      const fail = (error: unknown): void => {
        end.abort()
        reject(error instanceof Error ? error : new Error(String(error)))
      }
      const show = (look: SegmentsLook, sequence: number): void => {
        this.#show(look, sequence, flags.wide, redraw)
        if (sequence !== flags.count) return
        end.abort()
        resolve()
      }
      const ticker = watchSegments(store, args.name ?? [], flags.interval, fail)
      ticker.subscribe(show, AbortSignal.any([signal, end.signal]))
    })
    await watched.finally(() => redraw?.end())
  }

  #show(
    {looks, missing}: SegmentsLook,
    sequence: number,
    wide: boolean | undefined,
    redraw: Redraw | null,
  ): void {
    if (this.jsonEnabled()) {
      this.logJsonLine({
        time: new Date().toISOString(),
        segments: looks.map(segmentJson),
        missing: missing.map(({name}) => name),
      })
      return
    }
    const isEmpty = looks.length + missing.length === 0
    const table = segmentTable(
      looks,
      missing.map(({name}) => name),
      tableStyle(process.stdout, process.env, wide),
    )
    const text = isEmpty ? 'No active KVCached segments found.' : table
    if (redraw) redraw.show(text)
    else process.stdout.write(`${sequence > 1 ? '\n' : ''}${text}\n`)
  }
}
