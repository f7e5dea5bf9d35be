import {KvctlError, NetworkError, ResourceError, type Clock} from '../foundation/index.js'
import type {HttpAnswer, HttpClient} from '../http/index.js'
import type {LimitChange, LimitJson, SegmentJson} from '../segments/index.js'
import type {MonitorActions} from './actions.js'
import type {HostLook, SegmentFigures} from './host-look.js'
import type {HostWatch} from './host-watch.js'
import {settledWithin} from './settled-within.js'

export interface RemoteServer {
  /** Of `kvctl serve`, without a trailing slash. */
  readonly url: string
  readonly token: string | null
  readonly http: HttpClient
  readonly clock: Clock
}

/** Exact integers arrive as numbers, rounded beyond 2^53. */
type OverHttp<T> = {
  readonly [Name in keyof T]: Exclude<T[Name], bigint> | (bigint extends T[Name] ? number : never)
}

const TIMEOUT_MS = 3000
/** A server on this side of the world answers in that time; a slower one is told as it was at the look before. */
const LEAST_PATIENCE_MS = 500

/** The segments of a machine on which `kvctl serve` runs. When it does not answer, its last figures stay, with the reason. */
export function watchRemoteHost(server: RemoteServer, names: readonly string[]): HostWatch {
  const {url, clock} = server
  let last: HostLook = {
    ...{host: url, takenAtMs: Date.now(), trouble: null, segments: [], devices: [], processes: []},
    devicesMissing: `${url} is asked for segments only`,
  }
  let asking: Promise<void> | null = null
  const ask = async (): Promise<void> => {
    try {
      const segments = (await request(server, 'GET', '/segments')) as readonly OverHttp<SegmentJson>[]
      const shown = segments.filter(({ipc}) => names.length === 0 || names.includes(ipc)).map(figuresOf)
      last = {...last, takenAtMs: Date.now(), trouble: null, segments: shown}
    } catch (error) {
      last = {...last, trouble: error instanceof Error ? error.message : String(error)}
    }
  }
  return {
    async look(patienceMs, signal) {
      asking ??= ask().finally(() => (asking = null))
      await settledWithin(asking, Math.max(patienceMs, LEAST_PATIENCE_MS), clock, signal)
      return last
    },
  }
}

/** Actions on such a machine; its server refuses what `kvctl limit` and `delete` refuse there. */
export function remoteActions(server: RemoteServer): MonitorActions {
  const path = (name: string): string => `/segments/${encodeURIComponent(name)}`
  return {
    async setLimit(_, name, {limitBytes, isForced}) {
      const wish = limitBytes === null ? {restore: true} : {limit: `${limitBytes}`}
      return limitChangeOf(
        (await request(server, 'PUT', path(name), {...wish, force: isForced})) as OverHttp<LimitJson>,
      )
    },
    async remove(_, name) {
      await request(server, 'DELETE', path(name))
    },
    prune: () =>
      Promise.reject(
        new ResourceError('NOT_REMOTE', `segments of ${server.url} are pruned there: kvctl prune`),
      ),
  }
}

/** @throws NetworkError; ResourceError with the server's own code and sentence */
async function request(
  {url, token, http}: RemoteServer,
  method: 'GET' | 'PUT' | 'DELETE',
  path: string,
  body: unknown = null,
): Promise<unknown> {
  const headers = token === null ? {} : {authorization: `Bearer ${token}`}
  const answer = await http.send(method, `${url}${path}`, body === null ? null : JSON.stringify(body), {
    timeoutMs: TIMEOUT_MS,
    headers,
  })
  const document = jsonOrNull(answer)
  if (answer.status === 200 && document !== null) return document
  throw refusalOf(answer, document)
}

function refusalOf({url, status}: HttpAnswer, document: unknown): KvctlError {
  const {code, detail} = (document ?? {}) as {code?: unknown; detail?: unknown}
  if (typeof code === 'string' && typeof detail === 'string') return new ResourceError(code, detail)
  const hint = status === 401 ? '; set KVCTL_TOKEN to its token' : ''
  return new NetworkError('ENDPOINT_REFUSED', `${url} answered ${status}, which kvctl serve does not${hint}`)
}

function jsonOrNull({text}: HttpAnswer): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

function figuresOf(segment: OverHttp<SegmentJson>): SegmentFigures {
  const {startup_bytes: startup} = segment
  return {
    name: segment.ipc,
    limitBytes: segment.limit_bytes,
    usedBytes: segment.used_bytes,
    preallocBytes: segment.prealloc_bytes,
    startupBytes: startup,
    state: segment.state,
    stateReason: segment.state_reason,
    pid: segment.pid,
    owner: segment.owner,
    warnings: segment.warnings.map(({message}) => message),
  }
}

function limitChangeOf(json: OverHttp<LimitJson>): LimitChange {
  return {
    name: json.ipc,
    limitBytes: BigInt(json.limit_bytes),
    before: {
      limitBytes: BigInt(json.previous_limit_bytes),
      usedBytes: BigInt(json.used_bytes),
      preallocBytes: BigInt(json.prealloc_bytes),
    },
    startupBytes: json.startup_bytes === null ? null : BigInt(json.startup_bytes),
    outcome: json.outcome,
    explanation: json.explanation,
  }
}
