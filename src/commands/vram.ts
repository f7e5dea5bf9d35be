import {Flags} from '@oclif/core'
import {engineUrlsOf} from '../cli/engine-urls.js'
import {countFlag, durationFlag, urlFlag} from '../cli/flags.js'
import {KvctlCommand} from '../cli/kvctl-command.js'
import {vramSummary, type AnyVramDocument} from '../cli/vram-summary.js'
import {whileWaiting} from '../cli/waiting-line.js'
import {ConfigurationError, createTicker, NetworkError, systemClock} from '../lib/foundation/index.js'
import {DRIVER_PATIENCE_MS, machine} from '../wiring/index.js'

const HOME_AND_CLEAR_BELOW = '\u001B[H\u001B[J'
const LEAST_INTERVAL_MS = 100
const MOST_INTERVAL_MS = 60_000
/** A server sends an event each interval; one that is silent for so much longer is gone. */
const SILENCE_MS = 30_000
/** Longer than a GPU may take to answer. */
const FIRST_LOOK_MS = 6000

export default class Vram extends KvctlCommand {
  static override summary = 'show GPU memory and whose it is: processes, engines, weights, KV cache'
  static override description = `Blackbox's document, of this machine or with --url of a server: kvctl serve, or Blackbox itself. With --follow again and again; a
lost server is tried five times, 1 to 16 s apart, and then the exit status is 3. Figures marked ~ are derived. What cannot
be read is told on stderr, under --json as "warnings" and "unavailable".`
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --follow --gpu 0',
    "<%= config.bin %> <%= command.id %> --json --blocks none | jq '.engines[].memory'",
    '<%= config.bin %> <%= command.id %> --follow --json --url http://gpu-7:6767 > vram.jsonl',
  ]
  static override enableJsonFlag = true
  static override flags = {
    follow: Flags.boolean({char: 'f', description: 'show it again each interval, until Ctrl-C'}),
    interval: durationFlag({
      char: 'n',
      description: 'time between looks of --follow',
      default: 500,
      defaultHelp: async () => '500ms',
    }),
    count: countFlag({description: 'end after so many looks', min: 1, dependsOn: ['follow']}),
    url: urlFlag({description: 'ask a server instead of this machine, such as http://gpu-7:6767'}),
    token: Flags.string({
      description: 'bearer token of that server (also KVCTL_TOKEN)',
      helpValue: 'TOKEN',
      dependsOn: ['url'],
    }),
    gpu: Flags.string({
      description: 'GPUs to sum, by index or UUID with commas between them (default all)',
      helpValue: 'GPU[,GPU…]',
    }),
    blocks: Flags.string({
      description: 'blocks to list: all (default), none, summary or FROM-TO; of use with --json alone',
      helpValue: 'WHICH',
    }),
    'engine-url': urlFlag({
      description: 'engine of this machine whose KV cache is shown; may be repeated (also KVCTL_ENGINE_URLS)',
      multiple: true,
      multipleNonGreedy: true,
      exclusive: ['url'],
    }),
  }

  async run(): Promise<unknown> {
    const {flags} = await this.parse(Vram)
    const {interval} = flags
    if (interval < LEAST_INTERVAL_MS || interval > MOST_INTERVAL_MS)
      throw new ConfigurationError(
        'INTERVAL_INVALID',
        `--interval is ${LEAST_INTERVAL_MS} ms to ${MOST_INTERVAL_MS / 1000} s, not ${interval} ms`,
      )
    const blocks = flags.blocks ?? (this.jsonEnabled() ? 'all' : 'none')
    const wish = {gpu: flags.gpu ?? 'all', blocks}
    let left = flags.count ?? Infinity
    const show = (text: string): boolean => {
      this.#show(text, flags.follow)
      return --left > 0
    }
    if (flags.url === undefined) {
      const urls = flags['engine-url'] ?? engineUrlsOf(process.env) ?? []
      return this.#local(urls, wish, flags.follow ? interval : null, show)
    }
    const token = flags.token ?? (process.env['KVCTL_TOKEN'] || null)
    return this.#remote(flags.url, token, wish, flags.follow ? interval : null, show)
  }

  async #local(
    engineUrls: readonly string[],
    wish: {readonly gpu: string; readonly blocks: string},
    intervalMs: number | null,
    show: (text: string) => boolean,
  ): Promise<unknown> {
    const {signal} = this
    const {createMachineFeed} = await import('../server/machine-feed.js')
    const {vramText, vramWish} = await import('../server/vram-answers.js')
    const {VramWriter} = await import('../lib/machine/index.js')
    const chosen = vramWish(wish)
    const host = await machine(engineUrls, this.logger)
    const writer = new VramWriter()
    try {
      if (intervalMs === null) {
        const look = await whileWaiting('Asking driver and engines', DRIVER_PATIENCE_MS, host.look(signal))
        return this.#once(vramText({look, lateMs: null}, chosen, writer))
      }
      const feed = createMachineFeed(host, systemClock)
      // Not AbortSignal.any, which Node 20 may collect as garbage with its listeners.
      const end = new AbortController()
      const leave = (): void => end.abort()
      if (signal.aborted) leave()
      else signal.addEventListener('abort', leave, {once: true})
      const until = end.signal
      const ended = new Promise<void>(resolve => {
        if (until.aborted) resolve()
        else until.addEventListener('abort', () => resolve(), {once: true})
      })
      // The first look is waited for, since the driver starts, but not beyond Ctrl-C.
      await Promise.race([feed.look(FIRST_LOOK_MS), ended])
      let failure: unknown = null
      const fail = (error: unknown): void => {
        failure = error
        end.abort()
      }
      const ticker = createTicker(() => feed.look(intervalMs), intervalMs, fail)
      ticker.subscribe(look => {
        if (!show(vramText(look, chosen, writer))) end.abort()
      }, until)
      await ended
      if (failure !== null) throw failure as Error
      return undefined
    } finally {
      host.close()
    }
  }

  async #remote(
    url: string,
    token: string | null,
    {gpu, blocks}: {readonly gpu: string; readonly blocks: string},
    intervalMs: number | null,
    show: (text: string) => boolean,
  ): Promise<unknown> {
    const {signal} = this
    const {createEventClient, createHttpClient, followEvents, jsonOf} = await import('../lib/http/index.js')
    const [http, stream] = [createHttpClient(), createEventClient()]
    const headers: Record<string, string> = token === null ? {} : {authorization: `Bearer ${token}`}
    const query = new URLSearchParams({...(gpu !== 'all' && {gpu}), ...(blocks !== 'all' && {blocks})})
    const base = url.replace(/\/+$/, '').replace(/\/vram$/, '')
    try {
      if (intervalMs === null) {
        const answer = await http.get(withQuery(`${base}/vram`, query), {headers, signal})
        jsonOf(answer)
        return this.#once(answer.text)
      }
      if (intervalMs !== 500) query.set('interval_ms', String(intervalMs))
      const address = withQuery(`${base}/vram/stream`, query)
      const idleMs = intervalMs + SILENCE_MS
      await followEvents({
        open: until => stream.events(address, {headers, idleMs, signal: until}),
        show,
        note: line => this.note(line),
        clock: systemClock,
        signal,
      })
      return undefined
    } catch (error) {
      // Ctrl-C is how following ends.
      if (intervalMs === null || !signal.aborted) throw error
      return undefined
    } finally {
      await Promise.all([http.close(), stream.close()])
    }
  }

  #once(text: string): unknown {
    const document = documentIn(text)
    for (const {message} of document.warnings ?? []) this.note(`Note: ${message}`)
    this.log(vramSummary(document))
    return document
  }

  #show(text: string, isFollowing: boolean): void {
    if (this.jsonEnabled()) {
      process.stdout.write(`${text}\n`)
      return
    }
    const before = isFollowing && process.stdout.isTTY ? HOME_AND_CLEAR_BELOW : ''
    const after = isFollowing && !process.stdout.isTTY ? '\n\n' : '\n'
    process.stdout.write(`${before}${vramSummary(documentIn(text))}${after}`)
  }
}

function withQuery(url: string, query: URLSearchParams): string {
  return query.size > 0 ? `${url}?${query.toString()}` : url
}

/** @throws NetworkError when it is not what `/vram` answers */
function documentIn(text: string): AnyVramDocument & {warnings?: {message: string}[]} {
  try {
    const document = JSON.parse(text) as AnyVramDocument | null
    const figures = [document?.total_bytes, document?.used_bytes, document?.used_percent]
    if (figures.every(figure => typeof figure === 'number')) return document!
  } catch {
    // told below
  }
  throw new NetworkError('ENDPOINT_NOT_VRAM', 'the server did not answer with a document of /vram')
}
