import {createParser} from 'eventsource-parser'
import {Agent, request} from 'undici'
import {NetworkError} from '../foundation/index.js'
import {asNetworkError} from './client.js'

export interface EventsOptions {
  readonly headers?: Readonly<Record<string, string>>
  /** How long a stream may be silent. */
  readonly idleMs: number
  readonly signal: AbortSignal
}

/** An event that grows beyond this is none that we want. */
const LARGEST_EVENT_BYTES = 64 * 1024 * 1024

/** Reads server-sent events. */
export interface EventClient {
  /**
   * The data of each event, until the server ends the stream.
   *
   * @throws NetworkError that names the URL; `ENDPOINT_REFUSED` for a status of 4xx, which another try does not change
   * @see https://html.spec.whatwg.org/multipage/server-sent-events.html
   */
  events(url: string, options: EventsOptions): AsyncGenerator<string, void>
  /** Breaks what is being read. */
  close(): Promise<void>
}

const CONNECT_MS = 10_000

export function createEventClient(): EventClient {
  // Streams have no largest size.
  const dispatcher = new Agent({connect: {timeout: CONNECT_MS}})
  return {
    async *events(url, options) {
      try {
        yield* readEvents(dispatcher, url, options)
      } catch (error) {
        options.signal.throwIfAborted()
        throw error instanceof NetworkError ? error : asNetworkError(url, error, false, options.idleMs)
      }
    },
    close: () => dispatcher.destroy(),
  }
}

async function* readEvents(
  dispatcher: Agent,
  url: string,
  {headers = {}, idleMs, signal}: EventsOptions,
): AsyncGenerator<string, void> {
  const {statusCode, body} = await request(url, {
    dispatcher,
    headers: {accept: 'text/event-stream', ...headers},
    signal,
    headersTimeout: idleMs,
    bodyTimeout: idleMs,
  })
  if (statusCode !== 200) {
    const said = (await body.text()).trim().slice(0, 200)
    const code = statusCode >= 400 && statusCode < 500 ? 'ENDPOINT_REFUSED' : 'ENDPOINT_STATUS'
    throw new NetworkError(code, `${url} answered HTTP ${statusCode}${said === '' ? '' : `: ${said}`}`)
  }
  const ready: string[] = []
  let pendingBytes = 0
  const parser = createParser({
    onEvent({data}) {
      ready.push(data)
      pendingBytes = 0
    },
  })
  const decoder = new TextDecoder()
  for await (const chunk of body as AsyncIterable<Buffer>) {
    pendingBytes += chunk.length
    parser.feed(decoder.decode(chunk, {stream: true}))
    if (pendingBytes > LARGEST_EVENT_BYTES)
      throw new NetworkError('ENDPOINT_NOT_EVENTS', `${url} sends no end of an event`)
    for (const data of ready.splice(0)) yield data
  }
}
