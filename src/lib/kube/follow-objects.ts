import {KvctlError, type Clock} from '../foundation/index.js'
import type {Cluster} from './kubectl.js'

/** A part of a collection of objects. */
export interface Followed {
  /** Of the REST API, such as `/api/v1/namespaces/ml/pods`. */
  readonly path: string
  readonly labelSelector?: string
  readonly fieldSelector?: string
}

/** The least that every object has. */
export interface NamedObject {
  readonly metadata: {readonly name: string; readonly resourceVersion?: string}
}

export interface FollowOptions {
  readonly clock: Clock
  /** So long a cluster may not answer before that counts. */
  readonly patienceMs: number
}

const FIRST_DELAY_MS = 100
const LONGEST_DELAY_MS = 10_000
/** What waiting does not change. */
const FINAL = new Set(['PERMISSION_DENIED', 'KSERVE_MISSING', 'PROGRAM_MISSING', 'KUBECTL_TOO_OLD'])

/**
 * Keeps a picture of objects: lists them, then hears of every change. A watch that ends goes on where it was; one that is too
 * old for the server (410), or broke, begins with a new list, later and later while it goes on failing.
 *
 * @param changed told of the whole picture after the list and after every change
 * @throws KvctlError what the cluster says when it has not answered for `patienceMs`, and at once what waiting does not change;
 * the signal's reason
 */
export async function followObjects(
  cluster: Cluster,
  followed: Followed,
  {clock, patienceMs}: FollowOptions,
  changed: (objects: readonly NamedObject[]) => void,
  signal: AbortSignal,
): Promise<never> {
  const objects = new Map<string, NamedObject>()
  let version: string | null = null
  let silences = 0
  let failingSinceNs: number | null = null
  const tell = (): void => {
    failingSinceNs = null
    changed([...objects.values()])
  }
  for (;;) {
    silences++
    try {
      if (version === null) {
        const list = await listOf(cluster, followed, signal)
        objects.clear()
        for (const one of list.items) objects.set(one.metadata.name, one)
        version = list.version
        tell()
      }
      const heard = (): void => {
        silences = 0
      }
      version = await watchFrom(cluster, followed, version, {objects, tell, heard}, signal)
    } catch (error) {
      signal.throwIfAborted()
      if (!(error instanceof KvctlError) || FINAL.has(error.code)) throw error
      version = null
      failingSinceNs ??= clock.nowNs()
      if (clock.nowNs() - failingSinceNs >= patienceMs * 1e6) throw error
    }
    await clock.sleep(Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** silences), signal)
  }
}

async function listOf(
  cluster: Cluster,
  followed: Followed,
  signal: AbortSignal,
): Promise<{items: readonly NamedObject[]; version: string}> {
  const {items, metadata} = (await cluster.raw(pathOf(followed, {}), signal)) as {
    items?: NamedObject[] | null
    metadata?: {resourceVersion?: string}
  }
  return {items: items ?? [], version: metadata?.resourceVersion ?? ''}
}

interface WatchEvent {
  readonly type: string
  readonly object: NamedObject & {readonly code?: number}
}

/** @returns the version to go on from when the watch has ended; null where only a new list helps */
async function watchFrom(
  cluster: Cluster,
  followed: Followed,
  version: string,
  {
    objects,
    tell,
    heard,
  }: {readonly objects: Map<string, NamedObject>; readonly tell: () => void; readonly heard: () => void},
  signal: AbortSignal,
): Promise<string | null> {
  let last: string | null = version
  // Bookmarks tell which version to go on from where nothing has changed for long.
  const query = {watch: '1', resourceVersion: version, allowWatchBookmarks: 'true'}
  await cluster.watch(
    pathOf(followed, query),
    event => {
      const {type, object} = event as WatchEvent
      heard()
      // 410 Gone: the server has forgotten what came after the version; what else goes wrong needs a new list too.
      if (type === 'ERROR') {
        last = null
        return
      }
      last = last === null ? null : (object.metadata.resourceVersion ?? last)
      if (type === 'BOOKMARK') return
      if (type === 'DELETED') objects.delete(object.metadata.name)
      else objects.set(object.metadata.name, object)
      tell()
    },
    signal,
  )
  return last
}

function pathOf(
  {path, labelSelector, fieldSelector}: Followed,
  more: Readonly<Record<string, string>>,
): string {
  const query = new URLSearchParams({
    ...(labelSelector !== undefined && {labelSelector}),
    ...(fieldSelector !== undefined && {fieldSelector}),
    ...more,
  }).toString()
  return query === '' ? path : `${path}?${query}`
}
