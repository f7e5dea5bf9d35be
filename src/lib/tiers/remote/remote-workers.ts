import {NetworkError} from '../../foundation/index.js'
import type {HttpClient} from '../../http/index.js'
import type {CacheInput, CacheReply} from '../answers/reply.js'
import type {CacheWorker} from '../cache-worker.js'
import {CACHE_OPERATIONS, type CacheOperation} from '../operations.js'
import {aggregate, isDone, type TargetReply} from './aggregate.js'
import {inTodaysWords, olderPath} from './reply-words.js'
import {parseTolerant} from './tolerant-json.js'

export interface RemoteWorkersOptions {
  /** Of a deployment's processes: its ranks, and its scheduler where statistics are wanted. */
  readonly urls: readonly string[]
  readonly http: HttpClient
  /** Of one process's answer: upstream's clear may hang. */
  readonly timeoutMs: number
  readonly token: string | null
}

/** Real LMCache workers, asked side by side; each of their oddities is met here. */
export class RemoteWorkers implements CacheWorker {
  readonly #options: RemoteWorkersOptions

  constructor(options: RemoteWorkersOptions) {
    this.#options = options
  }

  get urls(): readonly string[] {
    return this.#options.urls
  }

  async answer(operation: CacheOperation, input: CacheInput): Promise<CacheReply> {
    const replies = await this.askAll(operation, input)
    const any =
      CACHE_OPERATIONS[operation].audience === 'any' ? (replies.find(isDone) ?? replies[0]) : undefined
    return aggregate(operation, any === undefined ? replies : [any])
  }

  /** Every process's own answer, in the order of the URLs. */
  async askAll(operation: CacheOperation, input: CacheInput): Promise<TargetReply[]> {
    return Promise.all(this.#options.urls.map(async url => this.#ask(url, operation, input)))
  }

  async #ask(url: string, operation: CacheOperation, input: CacheInput): Promise<TargetReply> {
    const {method, path} = CACHE_OPERATIONS[operation]
    const own = path.replace(':name', encodeURIComponent(input.name ?? ''))
    const reply = await this.#exchange(method, url, own, input)
    const older = reply.status === 404 ? olderPath(own) : null
    const {status, body} = older === null ? reply : await this.#exchange(method, url, older, input)
    return {url, status, body: inTodaysWords(operation, body)}
  }

  async #exchange(method: string, url: string, path: string, input: CacheInput): Promise<TargetReply> {
    const {http, timeoutMs, token} = this.#options
    const query = new URLSearchParams(
      Object.entries(input.query).flatMap(([name, values]) =>
        values.map((value): [string, string] => [name, value]),
      ),
    ).toString()
    try {
      const answer = await http.send(
        method as 'GET',
        `${url.replace(/\/$/, '')}${path}${query === '' ? '' : `?${query}`}`,
        input.body === '' ? null : input.body,
        {timeoutMs, ...(token !== null && {headers: {authorization: `Bearer ${token}`}})},
      )
      return {url, status: answer.status, body: parseTolerant(answer.text)}
    } catch (error) {
      if (!(error instanceof NetworkError)) throw error
      return {url, status: null, body: error.message}
    }
  }
}
