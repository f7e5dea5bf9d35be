import {hostname} from 'node:os'
import {Args, Flags} from '@oclif/core'
import {durationFlag} from '../cli/flags.js'
import {KvctlCommand} from '../cli/kvctl-command.js'
import {canColor} from '../cli/table.js'
import {ConfigurationError, systemClock} from '../lib/foundation/index.js'
import type {HostWatch, MonitorActions, MonitorLook} from '../lib/monitor/index.js'
import {gpuSampler, segmentStore} from '../wiring.js'

const SHORTEST_REFRESH_MS = 100
const PLAIN_COLUMNS = 100
/** Longer than a GPU sampler waits for a driver that hangs. */
const ONCE_PATIENCE_MS = 7000

export default class Kvtop extends KvctlCommand {
  static override summary = 'watch segments, GPUs and processes on a full screen'
  static override description = `Shows KV-cache segments (used, preallocated and free memory, limit, history), GPUs (memory, utilisation, power, temperature,
throttling) and the processes behind both. Limits are set and segments deleted from it, each after a question. ? shows the keys; Ctrl-C or q leaves. --once prints what is there now, --json one
object a look.`
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --refresh 0.5 kvcached_vLLM_12345',
    '<%= config.bin %> <%= command.id %> --once',
    '<%= config.bin %> <%= command.id %> --json --count 60 > looks.jsonl',
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
    const {signal} = this
    const sampler = await gpuSampler()
    try {
      const {localActions, watchLocalHost} = await import('../lib/monitor/index.js')
      const segments = await segmentStore(this.logger)
      const parts = {host: hostname(), segments, gpus: sampler}
      const hosts = [watchLocalHost({...parts, clock: systemClock}, args.name ?? [])]
      if (isDrawn) await this.#draw(hosts, localActions(segments), flags, signal)
      else await this.#print(hosts, flags, signal)
    } catch (error) {
      if (!signal.aborted) throw error
    } finally {
      sampler.close()
    }
  }

  async #print(
    hosts: readonly HostWatch[],
    {
      once,
      count,
      refresh,
      ascii,
    }: {once: boolean; count?: number | undefined; refresh: number; ascii?: boolean},
    signal: AbortSignal,
  ): Promise<void> {
    const {lookAtHosts, monitorJson, watchHosts} = await import('../lib/monitor/index.js')
    if (once) {
      const look = await lookAtHosts(hosts, ONCE_PATIENCE_MS, signal)
      if (this.jsonEnabled()) this.logJsonLine(monitorJson(look))
      else this.log(await this.#text(look, ascii, refresh))
      return
    }
    const enough = new AbortController()
    let left = count ?? Infinity
    const show = (look: MonitorLook): void => {
      if (left <= 0) return
      this.logJsonLine(monitorJson(look))
      left--
      if (left <= 0) enough.abort()
    }
    await watchHosts(hosts, refresh, show, systemClock, AbortSignal.any([signal, enough.signal]))
  }

  async #text(look: MonitorLook, ascii: boolean | undefined, intervalMs: number): Promise<string> {
    const {renderOnce} = await import('../tui/render-once.js')
    const columns = process.stdout.isTTY ? process.stdout.columns : PLAIN_COLUMNS
    const hasColor = canColor(process.stdout, process.env)
    return renderOnce(look, columns, await glyphsFor(ascii), hasColor, {intervalMs, note: null})
  }

  async #draw(
    hosts: readonly HostWatch[],
    actions: MonitorActions,
    {refresh, ascii, mouse}: {refresh: number; ascii?: boolean; mouse: boolean},
    signal: AbortSignal,
  ): Promise<void> {
    const {watchHosts} = await import('../lib/monitor/index.js')
    const {runKvtop} = await import('../tui/run-kvtop.js')
    await runKvtop({
      stdin: process.stdin,
      stdout: process.stdout,
      looks: (onLook, ended) => watchHosts(hosts, refresh, onLook, systemClock, ended),
      actions,
      glyphs: await glyphsFor(ascii),
      hasColor: canColor(process.stdout, process.env),
      facts: {intervalMs: refresh, note: null},
      hasMouse: mouse,
      signal,
    })
  }
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
