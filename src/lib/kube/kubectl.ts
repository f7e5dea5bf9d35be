import {NetworkError, ResourceError, type KvctlError} from '../foundation/index.js'
import type {CapturedProgram, FollowedProgram, RunningProgram} from '../processes/index.js'
import {JsonDocuments} from './json-documents.js'
import type {Manifest} from './manifest.js'
import {FIELD_MANAGER} from './manifests.js'

/** Ways to run `kubectl`, with an argument list. */
export interface Kubectl {
  /** Until it ends; `input` is its stdin. */
  run(
    args: readonly string[],
    options: {readonly input?: string; readonly timeoutMs: number; readonly signal: AbortSignal},
  ): Promise<CapturedProgram>
  /** Hears what it says while it runs. */
  follow(
    args: readonly string[],
    options: {readonly onText: (text: string) => void; readonly signal: AbortSignal},
  ): Promise<FollowedProgram>
  /** Beside us, until it is stopped. */
  start(args: readonly string[]): RunningProgram
}

/** The oldest that knows server-side apply as it is now. */
const OLDEST_MINOR = 20
const ASK_MS = 30_000

/** A cluster, as `kubectl` and its configuration reach it. Whatever fails says what and why in one line. */
export interface Cluster {
  /** @throws ResourceError `KUBECTL_TOO_OLD`; NetworkError `KUBERNETES_UNAVAILABLE` */
  requireKubectl(signal: AbortSignal): Promise<void>
  /** Server-side, under kvctl's name. @returns the object as the server has it */
  apply(manifest: Manifest, options: {readonly isForced: boolean}, signal: AbortSignal): Promise<object>
  /** null where there is none of this name. */
  get(resource: string, name: string, namespace: string | null, signal: AbortSignal): Promise<object | null>
  list(
    resource: string,
    selector: string | null,
    namespace: string | null,
    signal: AbortSignal,
  ): Promise<object[]>
  /** @returns whether there was one */
  remove(resource: string, name: string, namespace: string, signal: AbortSignal): Promise<boolean>
  /** The last lines of a container, of the one that crashed before it first; empty where there are none. */
  logs(
    pod: string,
    container: string,
    namespace: string,
    signal: AbortSignal,
    which?: 'crashed' | 'now',
  ): Promise<string>
  /** A document of the REST API, at its path. */
  raw(path: string, signal: AbortSignal): Promise<object>
  /** Hears a watch of the REST API until it ends. */
  watch(path: string, heard: (event: object) => void, signal: AbortSignal): Promise<void>
  /** `kubectl top pods`; null where the cluster measures nothing. */
  usage(selector: string, namespace: string, signal: AbortSignal): Promise<PodUsage[] | null>
  /** Forwards a free port of this machine to one of a pod. @throws ResourceError, NetworkError in kubectl's words */
  forward(pod: string, port: number, namespace: string, signal: AbortSignal): Promise<Forwarding>
}

/** What a pod uses at the moment, as the cluster's metrics server says it. */
export interface PodUsage {
  readonly pod: string
  /** Such as `250m`. */
  readonly cpu: string
  /** Such as `1024Mi`. */
  readonly memory: string
}

/** A port of this machine that leads to a pod. */
export interface Forwarding {
  /** With its port. */
  readonly host: string
  stop(): Promise<void>
}

/** @param context of the kubeconfig; null takes the current one */
export function createCluster(kubectl: Kubectl, context: string | null): Cluster {
  const always = context === null ? [] : ['--context', context]
  const ask = async (
    args: readonly string[],
    signal: AbortSignal,
    input?: string,
  ): Promise<CapturedProgram> =>
    kubectl.run([...args, ...always], {timeoutMs: ASK_MS, signal, ...(input !== undefined && {input})})
  const json = async (args: readonly string[], signal: AbortSignal, input?: string): Promise<object> => {
    const {code, stdout, stderr, isTimedOut} = await ask(args, signal, input)
    if (code !== 0) throw kubectlFailure(args, stderr, isTimedOut)
    return JSON.parse(stdout) as object
  }
  return {
    async requireKubectl(signal) {
      const version = (await json(['version', '--client', '-o', 'json'], signal)) as {
        clientVersion?: {major?: string; minor?: string; gitVersion?: string}
      }
      const {major = '', minor = '', gitVersion = 'of an unknown version'} = version.clientVersion ?? {}
      if (Number(major) > 1 || (Number(major) === 1 && Number.parseInt(minor, 10) >= OLDEST_MINOR)) return
      throw new ResourceError(
        'KUBECTL_TOO_OLD',
        `kubectl is ${gitVersion}; kvctl needs 1.${OLDEST_MINOR} or newer`,
      )
    },
    async apply(manifest, {isForced}, signal) {
      // What is sent was checked here; the server checks it again.
      const args = [
        'apply',
        '--server-side',
        '--field-manager',
        FIELD_MANAGER,
        '--validate=false',
        '-f',
        '-',
        '-o',
        'json',
      ]
      return json(isForced ? [...args, '--force-conflicts'] : args, signal, JSON.stringify(manifest))
    },
    async get(resource, name, namespace, signal) {
      const where = namespace === null ? [] : ['-n', namespace]
      const args = ['get', resource, name, ...where, '-o', 'json', '--ignore-not-found']
      const {code, stdout, stderr, isTimedOut} = await ask(args, signal)
      if (code !== 0) throw kubectlFailure(args, stderr, isTimedOut)
      return stdout.trim() === '' ? null : (JSON.parse(stdout) as object)
    },
    async list(resource, selector, namespace, signal) {
      const where = namespace === null ? [] : ['-n', namespace]
      const args = ['get', resource, ...where, ...(selector === null ? [] : ['-l', selector]), '-o', 'json']
      const {items} = (await json(args, signal)) as {items: object[]}
      return items
    },
    async remove(resource, name, namespace, signal) {
      const args = [
        'delete',
        resource,
        name,
        '-n',
        namespace,
        '--ignore-not-found',
        '--wait=false',
        '-o',
        'name',
      ]
      const {code, stdout, stderr, isTimedOut} = await ask(args, signal)
      if (code !== 0) throw kubectlFailure(args, stderr, isTimedOut)
      return stdout.trim() !== ''
    },
    async logs(pod, container, namespace, signal, which = 'crashed') {
      const args = ['logs', pod, '-c', container, '-n', namespace, '--tail=20']
      for (const more of which === 'now' ? [[]] : [['--previous'], []]) {
        const {code, stdout} = await ask([...args, ...more], signal)
        if (code === 0 && stdout.trim() !== '') return stdout.trim()
      }
      return ''
    },
    raw: async (path, signal) => json(['get', '--raw', path], signal),
    async watch(path, heard, signal) {
      const args = ['get', '--raw', path, ...always]
      const documents = new JsonDocuments()
      const onText = (text: string): void => {
        for (const event of documents.push(text)) heard(event as object)
      }
      const {code, stderr} = await kubectl.follow(args, {onText, signal})
      if (code !== 0) throw kubectlFailure(args, stderr, false)
    },
    async usage(selector, namespace, signal) {
      const args = ['top', 'pods', '-n', namespace, '-l', selector, '--no-headers']
      const {code, stdout} = await ask(args, signal)
      if (code !== 0) return null
      return stdout
        .split('\n')
        .map(line => line.trim().split(/\s+/))
        .flatMap(([pod = '', cpu = '', memory = '']) => (memory === '' ? [] : [{pod, cpu, memory}]))
    },
    async forward(pod, port, namespace, signal) {
      const args = ['port-forward', `pod/${pod}`, `:${port}`, '-n', namespace, '--address', '127.0.0.1']
      const program = kubectl.start([...args, ...always])
      try {
        const line = await program.firstLine(FORWARD_MS, signal)
        const local = FORWARDING.exec(line)?.[1]
        if (local !== undefined) return {host: `127.0.0.1:${local}`, stop: () => program.stop()}
        throw new ResourceError('PORT_FORWARD_FAILED', `kubectl port-forward pod/${pod}: ${line}`)
      } catch (error) {
        await program.stop()
        signal.throwIfAborted()
        if (!(error instanceof ResourceError) || error.code === 'PORT_FORWARD_FAILED') throw error
        throw kubectlFailure(args, error.message, false)
      }
    },
  }
}

const FORWARD_MS = 20_000
const FORWARDING = /^Forwarding from 127\.0\.0\.1:(\d+) ->/

const UNREACHABLE =
  /connection to the server .* was refused|unable to connect to the server|no such host|connection refused|no route to host|couldn't get current server API group list|context .* does not exist|no configuration has been provided|current-context must exist/i
const TIMED_OUT = /i\/o timeout|context deadline exceeded|TLS handshake timeout|Client\.Timeout/i
const FORBIDDEN = /\(Forbidden\)|is forbidden: User/
const NO_KIND =
  /doesn't have a resource type "(\w+)"|no matches for kind "(\w+)"|the server could not find the requested resource/
const CONFLICT = /Apply failed with \d+ conflicts?: (.+)/

/** Pure: what a failure of kubectl means, in the words of this toolkit's documentation where it has some. */
export function kubectlFailure(args: readonly string[], stderr: string, isTimedOut: boolean): KvctlError {
  const said =
    stderr
      .trim()
      .split('\n')
      .at(-1)
      ?.replace(/^(error|Error from server \(\w+\)): /i, '') ?? ''
  const what = `kubectl ${
    args
      .filter(word => word !== '--raw')
      .slice(0, 2)
      .join(' ')
      .split('?')[0]
  }`
  if (isTimedOut || TIMED_OUT.test(stderr)) {
    return new NetworkError('KUBERNETES_TIMEOUT', `Connection timeout: ${what}: ${said || 'no answer'}`, {
      suggestions: ['check network connectivity', 'kubectl cluster-info'],
    })
  }
  if (UNREACHABLE.test(stderr)) {
    return new NetworkError('KUBERNETES_UNAVAILABLE', `no Kubernetes cluster can be reached: ${said}`, {
      suggestions: [
        'set KUBECONFIG, or name a context with --context',
        'kvctl bench --url measures a running server without a cluster',
      ],
    })
  }
  if (FORBIDDEN.test(stderr)) return permissionDenied(said)
  const kind = NO_KIND.exec(stderr)
  if (kind) {
    return new ResourceError(
      'KSERVE_MISSING',
      `the cluster does not know ${kind[1] ?? kind[2] ?? 'services of KServe'}: KServe is not installed there`,
      {
        suggestions: ['install KServe 0.20', 'kubectl api-resources --api-group serving.kserve.io'],
      },
    )
  }
  const conflict = CONFLICT.exec(stderr)
  if (conflict) {
    return new ResourceError('FIELD_CONFLICT', `somebody else manages fields of it: ${conflict[1]}`, {
      suggestions: ['take them over with --force-conflicts'],
    })
  }
  return new ResourceError('KUBECTL_FAILED', `${what}: ${said || 'failed and said nothing'}`)
}

/** The words of the API server: who may not do what to which resource. */
const DENIED =
  /User "([^"]+)" cannot (\w+) resource "([^"]+)"(?: in API group "([^"]*)")?(?: in the namespace "([^"]+)")?/

function permissionDenied(said: string): ResourceError {
  const [, user, verb, resource, group, namespace] = DENIED.exec(said) ?? []
  if (user === undefined) return new ResourceError('PERMISSION_DENIED', `Permission denied: ${said}`)
  const who = user.replace(/^system:serviceaccount:/, 'service account ')
  const full = group ? `${resource}.${group}` : resource
  const where = namespace === undefined ? '' : ` in namespace ${namespace}`
  return new ResourceError('PERMISSION_DENIED', `Permission denied: ${who} may not ${verb} ${full}${where}`, {
    suggestions: [
      'verify RBAC permissions: examples/kubernetes/rbac.yaml holds what kvctl needs',
      `kubectl auth can-i ${verb} ${full}${namespace === undefined ? '' : ` -n ${namespace}`}`,
    ],
  })
}
