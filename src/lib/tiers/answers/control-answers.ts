import type {EmbeddedWorker} from '../embedded-worker.js'
import {
  done,
  failure,
  messageOf,
  notBoolean,
  parameter,
  truth,
  type CacheInput,
  type CacheReply,
} from './reply.js'

export function setFreeze({store}: EmbeddedWorker, isFrozen: boolean): CacheReply {
  store.isFrozen = isFrozen
  return done({freeze: isFrozen, message: `Freeze mode ${isFrozen ? 'enabled' : 'disabled'} successfully`})
}

export function freezeStatus({store: {isFrozen}}: EmbeddedWorker): CacheReply {
  return done({freeze: isFrozen, message: `Freeze mode is ${isFrozen ? 'enabled' : 'disabled'}`})
}

export function enableHotCache({store}: EmbeddedWorker): CacheReply {
  store.cpu.enable()
  return done({hot_cache: true, message: 'Hot cache enabled successfully'})
}

/** While frozen the hot cache is promised not to change, so that only `force=true` gives it up. */
export async function disableHotCache({store}: EmbeddedWorker, input: CacheInput): Promise<CacheReply> {
  const text = parameter(input, 'force')
  const isForced = text === null ? false : truth(text)
  if (isForced === null) return notBoolean('force', text!)
  if (store.isFrozen && !isForced) {
    return failure(
      409,
      'Failed to disable hot cache',
      'The cache is frozen; force=true gives it up all the same',
    )
  }
  const remaining = await store.cpu.disable()
  return done({
    hot_cache: false,
    message: 'Hot cache disabled successfully',
    ...(remaining > 0 && {remaining_pinned: remaining}),
  })
}

export function hotCacheStatus({store}: EmbeddedWorker): CacheReply {
  const {isHot} = store.cpu
  return done({hot_cache: isHot, message: `Hot cache is ${isHot ? 'enabled' : 'disabled'}`})
}

export function listBypassed({store}: EmbeddedWorker): CacheReply {
  return done({bypassed_backends: store.bypassed, all_backends: store.tiers.map(({name}) => name)})
}

export function setBypass({store}: EmbeddedWorker, input: CacheInput, isBypassed: boolean): CacheReply {
  const name = parameter(input, 'backend_name')
  if (!name) return failure(400, 'Missing parameter', 'backend_name is required')
  const names = store.tiers.map(tier => tier.name)
  if (!names.includes(name)) {
    const available = names.map(one => `'${one}'`).join(', ')
    return failure(400, 'Unknown backend', `Backend '${name}' not found. Available: [${available}]`)
  }
  const was = store.bypass(name, isBypassed)
  return done({
    backend_name: name,
    bypassed: isBypassed,
    ...(isBypassed ? {was_already_bypassed: was} : {was_bypassed: was}),
    bypassed_backends: store.bypassed,
  })
}

export function startStatistics({statistics}: EmbeddedWorker): CacheReply {
  statistics.start()
  return done({message: 'Started'})
}

export function stopStatistics({statistics}: EmbeddedWorker): CacheReply {
  statistics.stop()
  return done({message: 'Stopped'})
}

export async function resetStatistics({statistics}: EmbeddedWorker): Promise<CacheReply> {
  await statistics.reset()
  return done({message: 'Reset'})
}

export async function statisticsStatus({statistics}: EmbeddedWorker): Promise<CacheReply> {
  try {
    return {status: 200, body: await statistics.status()}
  } catch (error) {
    return failure(500, 'Failed to get status', messageOf(error))
  }
}

/** `GET /backends`: class names of the tiers, which are their names. */
export function listBackends(worker: EmbeddedWorker): CacheReply {
  return {status: 200, body: backendsOf(worker)}
}

/** `DELETE /backends/NAME`: closes a tier and forgets it; the CPU tier is the memory of all others and stays. */
export async function closeBackend(worker: EmbeddedWorker, {name}: CacheInput): Promise<CacheReply> {
  const isClosed = await worker.store.closeTier(name ?? '')
  const backends = backendsOf(worker)
  return isClosed
    ? done({message: `Backend ${name} closed`, backends})
    : {status: 404, body: {status: 'not_found', message: `Backend ${name} not found`, backends}}
}

/** `POST /backends`: opens what the settings ask for now and what is missing. */
export async function createBackends(worker: EmbeddedWorker): Promise<CacheReply> {
  try {
    const created = await worker.createTiers()
    return done({
      created: Object.fromEntries(created.map(name => [name, name])),
      backends: backendsOf(worker),
    })
  } catch (error) {
    return failure(500, 'Failed to create backends', messageOf(error))
  }
}

/** `GET /backends/figures`, ours: what each tier holds and how it does. */
export function backendFigures({store}: EmbeddedWorker): CacheReply {
  return done({
    backends: Object.fromEntries(
      store.tiers.map(({name, figures}) => [
        name,
        {
          ...{chunks: figures.chunks, bytes: figures.bytes, capacity_bytes: figures.capacityBytes},
          pinned_chunks: figures.pinnedChunks,
          pending_writes: figures.pendingWrites,
          dropped_writes: figures.droppedWrites,
          failed_writes: figures.failedWrites,
          failed_reads: figures.failedReads,
          refused_reads: figures.refusedReads,
          evicted_chunks: figures.evictedChunks,
          degraded: figures.degraded,
        },
      ]),
    ),
  })
}

function backendsOf({store}: EmbeddedWorker): Readonly<Record<string, string>> {
  return Object.fromEntries(store.tiers.map(({name}) => [name, name]))
}
