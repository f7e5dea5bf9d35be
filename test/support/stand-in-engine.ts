import {once} from 'node:events'
import {createServer, type IncomingMessage, type ServerResponse} from 'node:http'
import type {AddressInfo} from 'node:net'

/** One request that a stand-in got. */
export interface Call {
  readonly method: string
  /** Path and query. */
  readonly url: string
  readonly headers: IncomingMessage['headers']
  readonly rawHeaders: readonly string[]
  readonly body: string
}

type Answer = (call: Call, response: ServerResponse) => void | Promise<void>

/** An engine for tests of those who call engines: keeps every call, answers as told. */
export interface StandInEngine {
  readonly url: string
  readonly calls: readonly Call[]
  /** `METHOD path body` of each call but those of watchers: health, metrics, `is_sleeping`, models. */
  readonly orders: readonly string[]
  /** By path without query; `*` is for all others. */
  on(path: string, answer: Answer): void
  isSleeping: boolean
  readonly openRequests: number
  close(): Promise<void>
}

const WATCHED = /^GET \/(health|metrics|is_sleeping|v1\/models)/

/**
 * Speaks vLLM's calls (`/sleep`, `/wake_up`, `/is_sleeping`, `/collective_rpc`) and SGLang's (`/release_memory_occupation` and so
 * on), each with 200 and the body that the original sends.
 *
 * @param kind vLLM says whether it sleeps, SGLang has no such route
 */
export async function standInEngine(kind: 'vllm' | 'sglang', port = 0): Promise<StandInEngine> {
  const calls: Call[] = []
  const answers = new Map<string, Answer>()
  let openRequests = 0
  const state = {isSleeping: false}
  const json = (response: ServerResponse, value: unknown, status = 200): void => {
    response.writeHead(status, {'content-type': 'application/json'}).end(JSON.stringify(value))
  }
  answers.set('/health', (_, response) => void response.writeHead(200).end())
  if (kind === 'vllm') {
    answers.set('/is_sleeping', (_, response) => json(response, {is_sleeping: state.isSleeping}))
    answers.set('/sleep', (_, response) => {
      state.isSleeping = true
      response.writeHead(200).end()
    })
    answers.set('/wake_up', ({url}, response) => {
      state.isSleeping = url.endsWith('tags=weights')
      response.writeHead(200).end()
    })
    answers.set('/collective_rpc', (_, response) => json(response, {results: [null]}))
  } else {
    answers.set('/release_memory_occupation', (_, response) => json(response, null))
    answers.set('/resume_memory_occupation', (_, response) => json(response, null))
    answers.set('/update_weights_from_disk', (_, response) =>
      json(response, {success: true, message: 'Succeeded to update model weights.', num_paused_requests: 0}),
    )
  }
  answers.set('*', (_, response) => json(response, {detail: 'Not Found'}, 404))
  const server = createServer((request, response) => {
    openRequests++
    response.once('close', () => openRequests--)
    let body = ''
    request.setEncoding('utf8').on('data', (text: string) => (body += text))
    request.once('end', () => {
      const {method = '', url = '', headers, rawHeaders} = request
      const call = {method, url, headers, rawHeaders, body}
      calls.push(call)
      const answer = answers.get(url.split('?', 1)[0]!) ?? answers.get('*')!
      void answer(call, response)
    })
  })
  server.keepAliveTimeout = 60_000
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    url,
    calls,
    get isSleeping() {
      return state.isSleeping
    },
    set isSleeping(isSleeping) {
      state.isSleeping = isSleeping
    },
    get orders() {
      return calls
        .map(({method, url: path, body}) => `${method} ${path} ${body}`.trim())
        .filter(line => !WATCHED.test(line))
    },
    on: (path: string, answer: Answer) => void answers.set(path, answer),
    get openRequests() {
      return openRequests
    },
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

/** A stream of events as vLLM writes it. */
export function eventStream(response: ServerResponse): ServerResponse {
  return response.writeHead(200, {'content-type': 'text/event-stream; charset=utf-8'})
}
