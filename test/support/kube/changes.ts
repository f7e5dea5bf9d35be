import type {ServerResponse} from 'node:http'
import type {KubeObject} from './api-server.js'

/** Somebody who hears of changes. */
export interface Watcher {
  readonly response: ServerResponse
  readonly isAsked: (object: KubeObject) => boolean
  readonly apiVersion: string
  readonly kind: string
}

interface Change {
  readonly version: number
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'
  readonly object: KubeObject
}

const SCAN_MS = 10

/**
 * What has changed in the objects of the stand-in, as watches of a real API server tell it. Tests change objects as they like;
 * the differences are found here.
 *
 * @see kubernetes/website:content/en/docs/reference/using-api/api-concepts.md — efficient detection of changes
 */
export class Changes {
  readonly watchers = new Set<Watcher>()
  readonly #objects: () => readonly KubeObject[]
  readonly #seen = new Map<string, {text: string; version: number; object: KubeObject}>()
  #log: Change[] = []
  #version = 1
  #forgotten = 0
  #timer: NodeJS.Timeout | null = null

  constructor(objects: () => readonly KubeObject[]) {
    this.#objects = objects
  }

  /** @returns the version of all there is now */
  scan(): number {
    const ids = new Set<string>()
    for (const object of this.#objects()) {
      const id = `${object.kind}/${object.metadata.namespace ?? ''}/${object.metadata.name}`
      ids.add(id)
      const text = JSON.stringify(object)
      const before = this.#seen.get(id)
      if (before?.text === text) continue
      this.#add(before === undefined ? 'ADDED' : 'MODIFIED', JSON.parse(text) as KubeObject)
      this.#seen.set(id, {text, version: this.#version, object: JSON.parse(text) as KubeObject})
    }
    for (const [id, {object}] of this.#seen) {
      if (ids.has(id)) continue
      this.#seen.delete(id)
      this.#add('DELETED', object)
    }
    return this.#version
  }

  #add(type: Change['type'], object: KubeObject): void {
    const change = {version: ++this.#version, type, object}
    this.#log.push(change)
    for (const watcher of this.watchers) tell(watcher, change)
  }

  /** The object with the version of its last change. */
  versioned(object: KubeObject): KubeObject {
    const id = `${object.kind}/${object.metadata.namespace ?? ''}/${object.metadata.name}`
    return withVersion(object, this.#seen.get(id)?.version ?? this.#version)
  }

  /** @returns false where what came after `version` is forgotten */
  watch(watcher: Watcher, version: number): boolean {
    if (version < this.#forgotten) return false
    const {response, kind, apiVersion} = watcher
    response.writeHead(200, {'content-type': 'application/json'})
    for (const change of this.#log) if (change.version > version) tell(watcher, change)
    this.watchers.add(watcher)
    response.once('close', () => this.watchers.delete(watcher))
    const metadata = {resourceVersion: String(this.#version)}
    response.write(`${JSON.stringify({type: 'BOOKMARK', object: {kind, apiVersion, metadata}})}\n`)
    this.#timer ??= setInterval(() => this.scan(), SCAN_MS)
    return true
  }

  forget(): void {
    this.#forgotten = ++this.#version
    this.#log = []
    const object = {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Failure',
      reason: 'Expired',
      code: 410,
    }
    for (const {response} of this.#leaving()) response.end(`${JSON.stringify({type: 'ERROR', object})}\n`)
  }

  #leaving(): Watcher[] {
    const all = [...this.watchers]
    this.watchers.clear()
    return all
  }

  end(how: 'closed' | 'broken'): void {
    for (const {response} of this.#leaving()) {
      if (how === 'closed') response.end()
      else response.write('{"type":"MODIFIED","object":{"metadata":{"na', () => response.destroy())
    }
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer)
  }
}

function tell({response, isAsked, apiVersion}: Watcher, {type, object, version}: Change): void {
  if (!isAsked(object)) return
  response.write(`${JSON.stringify({type, object: {apiVersion, ...withVersion(object, version)}})}\n`)
}

function withVersion(object: KubeObject, version: number): KubeObject {
  return {...object, metadata: {...object.metadata, resourceVersion: String(version)}}
}
