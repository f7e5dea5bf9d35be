import {Args, Flags} from '@oclif/core'
import {cacheUrlsOf, USUAL_CACHE_URLS} from '../cli/cache-urls.js'
import {DEFAULT_CONTROLLER_URL} from '../cli/controller-url.js'
import {engineUrlsOf} from '../cli/engine-urls.js'
import {decimalFlag, durationFlag, urlFlag} from '../cli/flags.js'
import {KvctlCommand} from '../cli/kvctl-command.js'
import {canColor} from '../cli/table.js'
import {whileWaiting} from '../cli/waiting-line.js'
import {compileLate, ConfigurationError, systemClock} from '../lib/foundation/index.js'
import type {MonitorActions, MonitorLook, Recorder} from '../lib/monitor/index.js'
import {monitorParts, type MonitorParts} from '../wiring/index.js'

const SHORTEST_REFRESH_MS = 100
const PLAIN_COLUMNS = 100
/** Engines tell counters: how fast they are takes two looks. */
const RATE_MS = 1000
/** Longer than a GPU sampler waits for a driver that hangs. */
const ONCE_PATIENCE_MS = 7000

export default class Kvtop extends KvctlCommand {
  static override summary = 'watch segments, GPUs, engines, tiers and models on a full screen'
  static override description = `Shows KV-cache segments (used, preallocated and free memory, limit, history), GPUs (memory, utilisation, power, temperature,
throttling), engines (requests, KV use, hit rate, preemptions, tokens a second, TTFT) and the processes behind them; the tiers
of cache workers and the models of a controller where such answer. Limits are set, segments deleted, engines and models put to
sleep and woken from it, each after a question. ? shows the keys; Ctrl-C or q leaves.
--once prints what is there now, --json one object a look. --url shows machines on which kvctl serve runs, side by side, in
place of this one; one that does not answer keeps its last figures, with their age.`
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --refresh 0.5 kvcached_vLLM_12345',
    '<%= config.bin %> <%= command.id %> --once',
    '<%= config.bin %> <%= command.id %> --json --count 60 > looks.jsonl',
    '<%= config.bin %> <%= command.id %> --url http://gpu-1:6767 --url http://gpu-2:6767',
    '<%= config.bin %> <%= command.id %> --record night.jsonl',
    '<%= config.bin %> <%= command.id %> --replay night.jsonl --pace 10',
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
    refresh: durationFlag({
      char: 'r',
      description: 'time between looks',
      default: 1000,
      defaultHelp: async () => '1s',
    }),
    once: Flags.boolean({default: false, description: 'print one look and leave'}),
    count: Flags.integer({description: 'with --json: end after this many looks', min: 1, helpValue: 'N'}),
    url: urlFlag({
      multiple: true,
      description: 'a kvctl serve to look at instead of this machine (repeatable; its token in KVCTL_TOKEN)',
    }),
    'engine-url': urlFlag({
      multiple: true,
      description:
        'where an engine answers (repeatable; also KVCTL_ENGINE_URLS; default http://localhost:8000 and the ports of GPU processes)',
      exclusive: ['url'],
    }),
    'controller-url': urlFlag({
      description: `a controller whose models to show (also KVCTL_URL; default ${DEFAULT_CONTROLLER_URL} if one answers)`,
      exclusive: ['url'],
    }),
    'cache-url': urlFlag({
      multiple: true,
      description:
        'a cache worker whose tiers to show (repeatable; also KVCTL_CACHE_URL; default those that answer at the usual ports)',
      exclusive: ['url'],
    }),
    record: Flags.string({
      description: 'also write each look to a new file, one a line',
      helpValue: 'FILE',
      exclusive: ['replay'],
    }),
    replay: Flags.string({
      description: 'show the looks of such a file, as they came',
      helpValue: 'FILE',
      exclusive: ['url', 'once', 'count'],
    }),
    pace: decimalFlag({
      description: 'with --replay: how many times as fast',
      default: 1,
    }),
    ascii: Flags.boolean({
      allowNo: true,
      description: 'draw with ASCII characters only (default: where the locale is not UTF-8)',
    }),
    mouse: Flags.boolean({default: true, allowNo: true, description: 'take clicks and the wheel'}),
  }

  async run(): Promise<void> {
    const {args, flags} = await this.parse(Kvtop)
    if (flags.refresh < SHORTEST_REFRESH_MS) {
      throw new ConfigurationError(
        'INTERVAL_INVALID',
        `a refresh of ${flags.refresh} ms is below ${SHORTEST_REFRESH_MS} ms`,
      )
    }
    const isDrawn = !flags.once && !this.jsonEnabled()
    if (isDrawn) refuseWithoutTerminal()
    // For good: a shell has other work as well.
    if (!KvctlCommand.isInShell) compileLate()
    const {signal} = this
    const {createRecorder} = await import('../lib/monitor/index.js')
    const recorder = flags.record === undefined ? null : createRecorder(flags.record)
    let parts: MonitorParts | null = null
    try {
      if (flags.replay === undefined)
        parts = await monitorParts(this.logger, {
          names: args.name ?? [],
          urls: flags.url ?? [],
          engineUrls: flags['engine-url'] ?? engineUrlsOf(process.env) ?? [],
          controllerUrl: flags['controller-url'] ?? (process.env['KVCTL_URL'] || DEFAULT_CONTROLLER_URL),
          cacheUrls: flags['cache-url'] ?? cacheUrlsOf(process.env) ?? USUAL_CACHE_URLS,
        })
      const source = await this.#source(parts, flags, recorder)
      if (isDrawn) await this.#draw(source, parts?.actions ?? null, flags, signal)
      else if (flags.once && parts) await this.#once(parts, flags, recorder, signal)
      else await this.#stream(source, flags.count ?? Infinity, signal)
    } catch (error) {
      if (!signal.aborted) throw error
    } finally {
      recorder?.close()
      await parts?.close()
    }
    // Nobody who has left waits for questions that are still out, or for what is still being loaded for the next look.
    if (isDrawn && !KvctlCommand.isInShell) process.exit()
  }

  /** Looks at hosts, or those of a recording; what is shown is recorded if that was asked for. */
  async #source(
    parts: MonitorParts | null,
    {refresh, replay: path, pace}: KvtopFlags,
    recorder: Recorder | null,
  ): Promise<LookSource> {
    const {replay, watchHosts} = await import('../lib/monitor/index.js')
    if (parts === null) return (onLook, signal) => replay(path!, pace, onLook, systemClock, signal)
    return (onLook, signal) => {
      const show = (look: MonitorLook): void => {
        recorder?.add(look)
        onLook(look)
      }
      return watchHosts(parts.hosts, refresh, show, systemClock, signal)
    }
  }

  async #once(
    {hosts}: MonitorParts,
    {refresh, ascii}: KvtopFlags,
    recorder: Recorder | null,
    signal: AbortSignal,
  ): Promise<void> {
    const {lookAtHosts, monitorJson} = await import('../lib/monitor/index.js')
    const lookNow = async (): Promise<MonitorLook> =>
      whileWaiting(
        'Asking drivers, engines and servers',
        ONCE_PATIENCE_MS,
        lookAtHosts(hosts, ONCE_PATIENCE_MS, signal),
      )
    let look = await lookNow()
    if (look.hosts.some(({engines}) => engines.length > 0)) {
      await systemClock.sleep(RATE_MS, signal)
      look = await lookNow()
    }
    recorder?.add(look)
    if (this.jsonEnabled()) {
      this.logJsonLine(monitorJson(look))
      return
    }
    const {renderOnce} = await import('../tui/render-once.js')
    const columns = process.stdout.isTTY ? process.stdout.columns : PLAIN_COLUMNS
    const hasColor = canColor(process.stdout, process.env)
    this.log(renderOnce(look, columns, await glyphsFor(ascii), hasColor, {intervalMs: refresh, note: null}))
  }

  async #stream(source: LookSource, count: number, signal: AbortSignal): Promise<void> {
    const {monitorJson} = await import('../lib/monitor/index.js')
    const enough = new AbortController()
    let left = count
    const show = (look: MonitorLook): void => {
      if (left <= 0) return
      this.logJsonLine(monitorJson(look))
      left--
      if (left <= 0) enough.abort()
    }
    await source(show, AbortSignal.any([signal, enough.signal]))
  }

  async #draw(
    looks: LookSource,
    actions: MonitorActions | null,
    {refresh, ascii, mouse, record, replay}: KvtopFlags,
    signal: AbortSignal,
  ): Promise<void> {
    const {actionsByHost} = await import('../lib/monitor/index.js')
    const {runKvtop} = await import('../tui/run-kvtop.js')
    await runKvtop({
      stdin: process.stdin,
      stdout: process.stdout,
      looks,
      // The past cannot be acted on.
      actions: actions ?? actionsByHost(new Map()),
      glyphs: await glyphsFor(ascii),
      hasColor: canColor(process.stdout, process.env),
      facts: {
        intervalMs: refresh,
        note: replay !== undefined ? 'replay' : record !== undefined ? 'recording' : null,
      },
      hasMouse: mouse,
      signal,
    })
  }
}

type LookSource = (onLook: (look: MonitorLook) => void, signal: AbortSignal) => Promise<void>

interface KvtopFlags {
  readonly refresh: number
  readonly pace: number
  readonly mouse: boolean
  readonly ascii?: boolean
  readonly record?: string | undefined
  readonly replay?: string | undefined
}

async function glyphsFor(ascii: boolean | undefined): Promise<import('../tui/draw/glyphs.js').Glyphs> {
  const {ASCII, canShowUnicode, UNICODE} = await import('../tui/draw/glyphs.js')
  return (ascii ?? !canShowUnicode(process.env)) ? ASCII : UNICODE
}

function refuseWithoutTerminal(): void {
  const {stdin, stdout, env} = process
  if (stdin.isTTY && stdout.isTTY && env['TERM'] !== 'dumb') return
  const what = !stdout.isTTY ? 'stdout is none' : !stdin.isTTY ? 'stdin is none' : 'TERM is dumb'
  throw new ConfigurationError('TERMINAL_REQUIRED', `kvtop draws on a terminal, and ${what}`, {
    suggestions: ['kvctl kvtop --once', 'kvctl kvtop --json'],
  })
}
