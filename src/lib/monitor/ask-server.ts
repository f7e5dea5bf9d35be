import {KvctlError, NetworkError, ResourceError, type Clock} from '../foundation/index.js'
import type {HttpAnswer, HttpClient} from '../http/index.js'

/** Something with kvctl's HTTP surface, or a part of it. */
export interface RemoteServer {
  /** Without a trailing slash. */
  readonly url: string
  readonly token: string | null
  readonly http: HttpClient
  readonly clock: Clock
}

const TIMEOUT_MS = 3000

/** @throws NetworkError; ResourceError with the server's own code and sentence */
export async function askServer(
  server: RemoteServer,
  method: 'GET' | 'PUT' | 'DELETE',
  path: string,
  body: unknown = null,
): Promise<unknown> {
  const answer = await exchange(server, method, path, body)
  const document = jsonOrNull(answer)
  if (answer.status === 200 && document !== null) return document
  throw refusalOf(answer, document)
}

/** What a route answers; null where the server has no such route, or does not offer it. @throws as `askServer` */
export async function askIfOffered(server: RemoteServer, path: string): Promise<unknown> {
  const answer = await exchange(server, 'GET', path, null)
  if (answer.status === 404) return null
  const document = jsonOrNull(answer)
  if (answer.status === 200 && document !== null) return document
  throw refusalOf(answer, document)
}

/** A page of text, or null where there is none. @throws as `askServer` */
export async function askForText(server: RemoteServer, path: string): Promise<string | null> {
  const {status, text, contentType} = await exchange(server, 'GET', path, null)
  return status === 200 && !contentType.includes('json') ? text : null
}

async function exchange(
  {url, token, http}: RemoteServer,
  method: 'GET' | 'PUT' | 'DELETE',
  path: string,
  body: unknown,
): Promise<HttpAnswer> {
  const headers = token === null ? {} : {authorization: `Bearer ${token}`}
  return http.send(method, `${url}${path}`, body === null ? null : JSON.stringify(body), {
    timeoutMs: TIMEOUT_MS,
    headers,
  })
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
