import {once} from 'node:events'
import {writeFileSync} from 'node:fs'
import {createServer, type IncomingMessage, type ServerResponse} from 'node:http'
import type {AddressInfo, Socket} from 'node:net'
import {isDeepStrictEqual} from 'node:util'
import {parse} from 'yaml'
import {Changes, type Watcher} from './changes.js'
import {forwardPorts} from './port-forward.js'
import {refusalOf} from './schemas.js'

/** A Kubernetes object in the stand-in. */
export interface KubeObject {
  apiVersion?: string
  kind: string
  metadata: {
    name: string
    namespace?: string
    generation?: number
    labels?: Record<string, string>
    [key: string]: unknown
  }
  [key: string]: unknown
}

interface Kind {
  readonly kind: string
  readonly plural: string
  readonly group: string
  readonly version: string
  readonly isNamespaced: boolean
  readonly short?: string
}

const SERVING = 'serving.kserve.io'
const METRICS = 'metrics.k8s.io'
const KINDS: readonly Kind[] = [
  {kind: 'Pod', plural: 'pods', group: '', version: 'v1', isNamespaced: true},
  {kind: 'Node', plural: 'nodes', group: '', version: 'v1', isNamespaced: false},
  {kind: 'ConfigMap', plural: 'configmaps', group: '', version: 'v1', isNamespaced: true},
  {kind: 'Secret', plural: 'secrets', group: '', version: 'v1', isNamespaced: true},
  {kind: 'ServiceAccount', plural: 'serviceaccounts', group: '', version: 'v1', isNamespaced: true},
  {
    kind: 'InferenceService',
    plural: 'inferenceservices',
    group: SERVING,
    version: 'v1beta1',
    isNamespaced: true,
    short: 'isvc',
  },
  {
    kind: 'ServingRuntime',
    plural: 'servingruntimes',
    group: SERVING,
    version: 'v1alpha1',
    isNamespaced: true,
  },
  {
    kind: 'ClusterServingRuntime',
    plural: 'clusterservingruntimes',
    group: SERVING,
    version: 'v1alpha1',
    isNamespaced: false,
  },
  {
    kind: 'LLMInferenceService',
    plural: 'llminferenceservices',
    group: SERVING,
    version: 'v1alpha2',
    isNamespaced: true,
    short: 'llmisvc',
  },
  // Of the metrics server; there as soon as it has one.
  {kind: 'PodMetrics', plural: 'pods', group: METRICS, version: 'v1beta1', isNamespaced: true},
]

/**
 * An API server for tests of those who drive kubectl: real HTTP, discovery, server-side apply, watch streams, and the refusals of
 * a real one.
 */
export interface KubeApi {
  readonly url: string
  readonly objects: KubeObject[]
  /** `METHOD path?query` of every request but discovery. */
  readonly requests: readonly string[]
  /** `verb resource` that the user may not. */
  readonly denied: Set<string>
  /** `verb resource` that the user may; null is everything. */
  allowed: ReadonlySet<string> | null
  /** Fields that somebody else manages, by `Kind/name` and path. */
  readonly foreign: Map<string, string>
  /** By `pod/container`. */
  readonly logs: Map<string, string>
  /** So many requests are answered with 429 first. */
  throttled: number
  /** Without KServe's groups. */
  hasKserve: boolean
  /** Kinds that it does not serve, as an older KServe. */
  readonly missing: Set<string>
  /** Called after each apply, as a controller that reconciles. */
  onApply: (object: KubeObject) => void
  /** Where the ports of a pod lead to, by its name. */
  readonly tunnels: Map<string, string>
  /** How many tunnels are open. */
  readonly forwarded: number
  /** How many watches are open. */
  readonly watches: number
  /** Ends all watches: properly, or in the middle of a document. */
  endWatches(how: 'closed' | 'broken'): void
  /** Forgets what has changed until now: open watches are told so (410), later ones of an older version are refused. */
  forget(): void
  find(kind: string, name: string): KubeObject | undefined
  /** Writes a kubeconfig for it. */
  kubeconfig(path: string): void
  close(): Promise<void>
}

export async function startKubeApi(): Promise<KubeApi> {
  const requests: string[] = []
  const changes = new Changes(() => api.objects)
  const server = createServer((request, response) => {
    let body = ''
    request.setEncoding('utf8').on('data', (text: string) => (body += text))
    request.once('end', () => handle({api, changes}, request, response, body, requests))
  })
  const forwarded = new Set<Socket>()
  server.on('upgrade', (request, socket: Socket) => {
    requests.push(`${request.method} ${request.url}`)
    if (!tunnel(api, request, socket)) return
    forwarded.add(socket)
    socket.once('close', () => forwarded.delete(socket))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const api: KubeApi = {
    url,
    objects: [],
    requests,
    denied: new Set(),
    allowed: null,
    foreign: new Map(),
    logs: new Map(),
    throttled: 0,
    hasKserve: true,
    missing: new Set(),
    onApply: () => undefined,
    tunnels: new Map(),
    get forwarded() {
      return forwarded.size
    },
    get watches() {
      return changes.watchers.size
    },
    endWatches: how => changes.end(how),
    forget: () => changes.forget(),
    find: (kind, name) => api.objects.find(one => one.kind === kind && one.metadata.name === name),
    kubeconfig(path) {
      const config = {
        ...{apiVersion: 'v1', kind: 'Config', 'current-context': 'test'},
        clusters: [{name: 'test', cluster: {server: url}}],
        users: [{name: 'test', user: {token: 'secret'}}],
        contexts: [{name: 'test', context: {cluster: 'test', user: 'test', namespace: 'default'}}],
      }
      writeFileSync(path, JSON.stringify(config))
    },
    async close() {
      changes.stop()
      for (const socket of forwarded) socket.destroy()
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
  return api
}

function send(
  response: ServerResponse,
  value: unknown,
  status = 200,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, {'content-type': 'application/json', ...headers}).end(JSON.stringify(value))
}

function refuse(response: ServerResponse, code: number, reason: string, message: string, headers = {}): void {
  send(response, failureStatus(code, reason, message), code, headers)
}

/**
 * The tunnel of `kubectl port-forward`, as servers have it that speak no WebSocket: newer clients then fall back to SPDY.
 *
 * @returns whether there is one
 * @see kubernetes/kubectl:pkg/cmd/portforward/portforward.go
 */
function tunnel(api: KubeApi, request: IncomingMessage, socket: Socket): boolean {
  const [, namespace, name = ''] =
    /^\/api\/v1\/namespaces\/([^/]+)\/pods\/([^/]+)\/portforward$/.exec(request.url!) ?? []
  const right = 'create pods/portforward'
  const target = api.tunnels.get(name)
  if (request.headers.upgrade !== 'SPDY/3.1') answer(socket, 400, 'BadRequest', 'no such protocol')
  else if (api.denied.has(right) || api.allowed?.has(right) === false)
    answer(socket, 403, 'Forbidden', forbidden('create', 'pods/portforward', `pods "${name}"`, '', namespace))
  else if (target === undefined) answer(socket, 404, 'NotFound', `pods "${name}" not found`)
  else {
    const headers = [
      'Connection: Upgrade',
      'Upgrade: SPDY/3.1',
      'X-Stream-Protocol-Version: portforward.k8s.io',
    ]
    socket.write(`HTTP/1.1 101 Switching Protocols\r\n${headers.join('\r\n')}\r\n\r\n`)
    forwardPorts(socket, new URL(target))
    return true
  }
  return false
}

/** Instead of an upgrade. */
function answer(socket: Socket, code: number, reason: string, message: string): void {
  const body = JSON.stringify(failureStatus(code, reason, message))
  const headers = ['Content-Type: application/json', `Content-Length: ${body.length}`, 'Connection: close']
  socket.end(`HTTP/1.1 ${code} ${reason}\r\n${headers.join('\r\n')}\r\n\r\n${body}`)
}

function failureStatus(code: number, reason: string, message: string): object {
  return {kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', message, reason, code}
}

function forbidden(
  verb: string,
  resource: string,
  what: string,
  group: string,
  namespace: string | undefined,
): string {
  const where = namespace === undefined ? 'at the cluster scope' : `in the namespace "${namespace}"`
  return `${what} is forbidden: User "system:serviceaccount:ml:bench" cannot ${verb} resource "${resource}" in API group "${group}" ${where}`
}

function handle(
  {api, changes}: {readonly api: KubeApi; readonly changes: Changes},
  request: IncomingMessage,
  response: ServerResponse,
  body: string,
  requests: string[],
): void {
  const url = new URL(request.url!, 'http://localhost')
  const discovery = discover(api, url.pathname)
  if (discovery !== null) {
    send(response, discovery)
    return
  }
  requests.push(`${request.method} ${request.url}`)
  if (api.throttled > 0) {
    api.throttled--
    refuse(response, 429, 'TooManyRequests', 'too many requests', {'retry-after': '1'})
    return
  }
  const match =
    /^\/(?:api|apis\/([^/]+))\/(v[^/]+)\/(?:namespaces\/([^/]+)\/)?([a-z]+)(?:\/([^/]+))?(?:\/(\w+))?$/.exec(
      url.pathname,
    )
  const kind = KINDS.find(({plural, group}) => plural === match?.[4] && group === (match[1] ?? ''))
  if (!match || !kind || !isThere(api, kind)) {
    refuse(response, 404, 'NotFound', 'the server could not find the requested resource')
    return
  }
  const [, group = '', version = '', namespace, plural = '', name, part] = match
  const isWatch = ['1', 'true'].includes(url.searchParams.get('watch') ?? '')
  const verb = isWatch ? 'watch' : verbOf(request.method!, name)
  const right = `${verb} ${part === 'log' ? 'pods/log' : plural}`
  if (api.denied.has(right) || api.allowed?.has(right) === false) {
    const what = `${plural}${group && `.${group}`}${name === undefined ? '' : ` "${name}"`}`
    refuse(response, 403, 'Forbidden', forbidden(verb, plural, what, group, namespace))
    return
  }
  const apiVersion = group === '' ? version : `${group}/${version}`
  const isIt = (one: KubeObject): boolean =>
    one.kind === kind.kind &&
    (namespace === undefined || one.metadata.namespace === namespace) &&
    (name === undefined || one.metadata.name === name)
  if (part === 'log') {
    const key = `${name}/${url.searchParams.get('container')}`
    const log = api.logs.get(url.searchParams.get('previous') === 'true' ? key : '') ?? ''
    response.writeHead(200, {'content-type': 'text/plain'}).end(log)
    return
  }
  if (request.method === 'GET' && name === undefined) {
    const selector = url.searchParams.get('labelSelector')?.split(',') ?? []
    const field = /^metadata\.name=(.+)$/.exec(url.searchParams.get('fieldSelector') ?? '')?.[1]
    const isAsked = (one: KubeObject): boolean =>
      isIt(one) &&
      (field === undefined || one.metadata.name === field) &&
      selector.every(term => one.metadata.labels?.[term.split('=')[0]!] === term.split('=').at(-1))
    const version = changes.scan()
    if (isWatch) {
      const watcher: Watcher = {response, isAsked, apiVersion, kind: kind.kind}
      const isKnown = changes.watch(watcher, Number(url.searchParams.get('resourceVersion')))
      if (!isKnown) refuse(response, 410, 'Expired', 'too old resource version')
      return
    }
    send(response, {
      kind: `${kind.kind}List`,
      apiVersion,
      metadata: {resourceVersion: String(version)},
      items: api.objects.filter(isAsked).map(one => ({apiVersion, ...changes.versioned(one)})),
    })
    return
  }
  const found = api.objects.find(isIt)
  if (request.method === 'PATCH') {
    apply(api, response, parse(body) as KubeObject, found, url.searchParams)
    return
  }
  if (!found) {
    refuse(response, 404, 'NotFound', `${plural}${group && `.${group}`} "${name}" not found`)
    return
  }
  if (request.method === 'DELETE') {
    api.objects.splice(api.objects.indexOf(found), 1)
    send(response, {kind: 'Status', apiVersion: 'v1', status: 'Success', details: {name, kind: plural}})
    return
  }
  send(response, {apiVersion, ...found})
}

/** Server-side apply: the manager's fields, unless they are another's and say something else. */
function apply(
  api: KubeApi,
  response: ServerResponse,
  wanted: KubeObject,
  found: KubeObject | undefined,
  query: URLSearchParams,
): void {
  const id = `${wanted.kind}/${wanted.metadata.name}`
  const why = refusalOf(wanted)
  if (why !== null) {
    refuse(response, 422, 'Invalid', `${wanted.kind} "${wanted.metadata.name}" is invalid: ${why}`)
    return
  }
  if (query.get('fieldManager') !== 'kvctl') {
    refuse(response, 400, 'BadRequest', `unknown field manager ${query.get('fieldManager')}`)
    return
  }
  for (const [path, manager] of api.foreign) {
    if (!path.startsWith(`${id} `) || !found || query.get('force') === 'true') continue
    const keys = path.slice(id.length + 1).split('.')
    const at = (object: unknown): unknown =>
      keys.reduce<unknown>((value, key) => (value as Record<string, unknown> | undefined)?.[key], object)
    if (isDeepStrictEqual(at(wanted), at(found))) continue
    refuse(
      response,
      409,
      'Conflict',
      `Apply failed with 1 conflict: conflict with "${manager}": .${keys.join('.')}`,
    )
    return
  }
  const isChanged = !isDeepStrictEqual(found?.['spec'], wanted['spec'])
  const object: KubeObject = {
    ...found,
    ...wanted,
    metadata: {
      ...found?.metadata,
      ...wanted.metadata,
      generation: (found?.metadata.generation ?? 0) + (isChanged ? 1 : 0),
      resourceVersion: String(api.requests.length),
      uid: `uid-${id}`,
    },
  }
  if (found) api.objects.splice(api.objects.indexOf(found), 1, object)
  else api.objects.push(object)
  api.onApply(object)
  send(response, object, found ? 200 : 201)
}

function isThere(api: KubeApi, {group, kind}: Kind): boolean {
  if (api.missing.has(kind)) return false
  if (group === METRICS) return api.objects.some(one => one.kind === kind)
  return group !== SERVING || api.hasKserve
}

function verbOf(method: string, name: string | undefined): string {
  if (method === 'PATCH') return 'patch'
  if (method === 'DELETE') return 'delete'
  return name === undefined ? 'list' : 'get'
}

function discover(api: KubeApi, path: string): object | null {
  const kinds = KINDS.filter(kind => isThere(api, kind))
  if (path === '/version') return {major: '1', minor: '30', gitVersion: 'v1.30.0'}
  if (path === '/api') return {kind: 'APIVersions', versions: ['v1'], serverAddressByClientCIDRs: []}
  if (path === '/apis') {
    const groups = [SERVING, METRICS].flatMap(name => {
      const versions = [...new Set(kinds.filter(({group}) => group === name).map(({version}) => version))]
      const all = versions.map(version => ({groupVersion: `${name}/${version}`, version}))
      return all.length === 0 ? [] : [{name, versions: all, preferredVersion: all[0]}]
    })
    return {kind: 'APIGroupList', apiVersion: 'v1', groups}
  }
  const [, group = '', version] = /^\/(?:api|apis\/([^/]+))\/(v[^/]+)$/.exec(path) ?? []
  if (version === undefined) return null
  return {
    kind: 'APIResourceList',
    apiVersion: 'v1',
    groupVersion: group === '' ? version : `${group}/${version}`,
    resources: kinds
      .filter(one => one.group === group && one.version === version)
      .map(({kind, plural, isNamespaced, short}) => ({
        ...{name: plural, singularName: kind.toLowerCase(), namespaced: isNamespaced, kind},
        verbs: ['create', 'delete', 'get', 'list', 'patch', 'update', 'watch'],
        ...(short !== undefined && {shortNames: [short]}),
      })),
  }
}
