import {Flags} from '@oclif/core'
import {
  ConfigurationError,
  fieldsOf,
  NetworkError,
  ResourceError,
  type KvctlError,
} from '../lib/foundation/index.js'
import {complaintOf, type CacheOperation, type CacheReply, type RemoteWorkers} from '../lib/tiers/index.js'
import {remoteCacheWorkers} from '../wiring/index.js'
import {cacheUrlsOf, USUAL_CACHE_URLS} from './cache-urls.js'
import {cacheLines} from './cache-lines.js'
import {durationFlag, urlFlag} from './flags.js'
import {KvctlCommand} from './kvctl-command.js'
import {whileWaiting} from './waiting-line.js'

const PROBE_MS = 1000

export interface CacheQuestion {
  readonly query?: Readonly<Record<string, readonly string[]>>
  readonly body?: unknown
  /** What stands in the path. */
  readonly name?: string
}

interface CacheFlags {
  readonly url: string[] | undefined
  readonly token: string | undefined
  readonly timeout: number
}

/** What the commands of topic `cache` share: which workers are asked, and how an answer is shown or becomes a failure. */
export abstract class CacheCommand extends KvctlCommand {
  static override enableJsonFlag = true
  static override baseFlags = {
    ...KvctlCommand.baseFlags,
    url: urlFlag({
      description:
        "a cache worker's address; may be repeated, one for each rank (also KVCTL_CACHE_URL; default the only one found)",
      multiple: true,
      multipleNonGreedy: true,
      helpGroup: 'WORKER',
    }),
    token: Flags.string({
      description: 'bearer token of the workers (also KVCTL_TOKEN)',
      helpValue: 'TOKEN',
      helpGroup: 'WORKER',
    }),
    timeout: durationFlag({
      description: 'how long each worker may take to answer',
      default: 60_000,
      defaultHelp: async () => '60s',
      helpGroup: 'WORKER',
    }),
  }

  /** Asks, shows the answer to people, and gives it for `--json`. @throws KvctlError that says what the workers said */
  protected async ask(
    flags: CacheFlags,
    operation: CacheOperation,
    question: CacheQuestion = {},
  ): Promise<unknown> {
    const {status, body} = await this.withWorkers(flags, workers => answer(workers, operation, question))
    if (status >= 400) throw failureOf(status, body)
    for (const line of cacheLines(body)) this.log(line)
    return body
  }

  protected async withWorkers<T>(flags: CacheFlags, use: (workers: RemoteWorkers) => Promise<T>): Promise<T> {
    const token = flags.token ?? (process.env['KVCTL_TOKEN'] || null)
    const urls = flags.url ?? cacheUrlsOf(process.env) ?? [await theOnlyOne(token)]
    const remote = await remoteCacheWorkers(urls, flags.timeout, token)
    try {
      return await whileWaiting('Waiting for the cache workers', flags.timeout, use(remote.workers))
    } finally {
      await remote.close()
    }
  }
}

async function answer(
  workers: RemoteWorkers,
  operation: CacheOperation,
  question: CacheQuestion,
): Promise<CacheReply> {
  const {query = {}, body, name = null} = question
  return workers.answer(operation, {query, body: body === undefined ? '' : JSON.stringify(body), name})
}

async function theOnlyOne(token: string | null): Promise<string> {
  const remote = await remoteCacheWorkers(USUAL_CACHE_URLS, PROBE_MS, token)
  const replies = await remote.workers.askAll('freezeStatus', {query: {}, body: '', name: null})
  await remote.close()
  const found = replies.filter(({status}) => status === 200).map(({url}) => url)
  if (found.length === 1) return found[0]!
  const suggestions = ['--url URL names the worker', 'kvctl serve --listen cache=7000 starts one']
  throw found.length === 0
    ? new ResourceError(
        'CACHE_WORKER_NOT_FOUND',
        `no cache worker answers on ${USUAL_CACHE_URLS.join(', ')}`,
        {
          suggestions,
        },
      )
    : new ResourceError('CACHE_WORKER_AMBIGUOUS', `several cache workers answer: ${found.join(', ')}`, {
        suggestions,
      })
}

function failureOf(status: number, body: unknown): KvctlError {
  const text = complaintOf(body)
  if (status === 504)
    return new NetworkError('ENDPOINT_UNREACHABLE', text, {
      suggestions: ['kvctl cache workers --url URL tells who answers'],
    })
  if (status >= 500 && status !== 503) return new NetworkError('CACHE_WORKER_FAILED', text)
  if ([404, 409, 503].includes(status)) return new ResourceError('CACHE_UNAVAILABLE', text)
  const changed = Object.keys(fieldsOf(fieldsOf(body)['updated']))
  const rest = changed.length === 0 ? '' : ` (${changed.join(', ')} changed all the same)`
  return new ConfigurationError('CACHE_REQUEST_REFUSED', `${text}${rest}`)
}
