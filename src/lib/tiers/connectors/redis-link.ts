import type {Cluster, Redis} from 'ioredis'
import {ConfigurationError} from '../../foundation/index.js'
import {ValueReader, ValueTimeout, type ValueReaderOptions} from './value-reader.js'

/** What the connectors ask of a server, whether it stands alone, behind sentinels or in a cluster. */
export interface RedisLink {
  exist(names: readonly string[]): Promise<boolean[]>
  get(name: string): Promise<Buffer | null>
  /** Fills `into` with what there is room for. @returns how many bytes the value has; null when there is none */
  getInto(name: string, into: Buffer): Promise<number | null>
  set(name: string, value: Buffer, ttlSeconds: number | null): Promise<void>
  /** @returns how many were there */
  remove(names: readonly string[]): Promise<number>
  scan(pattern: string): AsyncIterable<string>
  ping(): Promise<void>
  close(): Promise<void>
}

export interface RedisLinkOptions {
  readonly url: string
  /** Of one command. */
  readonly timeoutMs: number
  /** The master's name behind sentinels. */
  readonly serviceName: string
}

const MAX_RETRY_MS = 1000
const SCAN_COUNT = 1000
/** From here on a value has a connection of its own kind. */
const LARGE_BYTES = 64 * 2 ** 10
/** Several, because one stream of a network seldom has all of it. */
const MAX_READERS = 4

type Where =
  | {readonly kind: 'one'; readonly url: string}
  | {readonly kind: 'sentinels' | 'cluster'; readonly nodes: readonly {host: string; port: number}[]}

/** Opens a link; it connects on first use, and again whenever it was cut. */
export async function openRedisLink(options: RedisLinkOptions): Promise<RedisLink> {
  const {Cluster, Redis} = await import('ioredis')
  const where = whereIs(options.url)
  const shared = {
    lazyConnect: true,
    // A command without a connection fails at once: the tier is degraded then, requests do not wait.
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    commandTimeout: options.timeoutMs,
    connectTimeout: options.timeoutMs,
  }
  const retry = (attempt: number): number => Math.min(50 * 2 ** attempt, MAX_RETRY_MS)
  let client: Redis | Cluster
  if (where.kind === 'one') client = new Redis(where.url, {...shared, retryStrategy: retry})
  else if (where.kind === 'cluster') {
    client = new Cluster([...where.nodes], {
      lazyConnect: true,
      enableOfflineQueue: false,
      clusterRetryStrategy: retry,
      redisOptions: {
        maxRetriesPerRequest: 0,
        commandTimeout: options.timeoutMs,
        connectTimeout: options.timeoutMs,
      },
    })
  } else {
    client = new Redis({
      ...shared,
      sentinels: [...where.nodes],
      name: options.serviceName,
      retryStrategy: retry,
      sentinelRetryStrategy: retry,
      failoverDetector: true,
    })
  }
  return new IoRedisLink(client, options.timeoutMs)
}

class IoRedisLink implements RedisLink {
  readonly #client: Redis | Cluster
  readonly #timeoutMs: number
  #readers: {readonly of: string; readonly all: ValueReader[]} = {of: '', all: []}
  #connecting: Promise<void> | null = null
  /** Why there was no connection the last time; null since there is one. */
  #trouble: string | null = null

  constructor(client: Redis | Cluster, timeoutMs: number) {
    this.#client = client
    this.#timeoutMs = timeoutMs
    // Without a listener the client would print it.
    client.on('error', (error: Error) => (this.#trouble = error.message))
    client.on('ready', () => (this.#trouble = null))
  }

  async exist(names: readonly string[]): Promise<boolean[]> {
    const client = await this.#ready()
    return Promise.all(names.map(async name => (await client.exists(name)) === 1))
  }

  async get(name: string): Promise<Buffer | null> {
    return (await this.#ready()).getBuffer(name)
  }

  async getInto(name: string, into: Buffer): Promise<number | null> {
    const client = await this.#ready()
    const reader = into.length >= LARGE_BYTES && 'stream' in client ? this.#readerFor(client) : null
    if (reader !== null) {
      try {
        return await reader.get(name, into)
      } catch (error) {
        if (error instanceof ValueTimeout) throw error
        // Perhaps the server takes no more connections: this one it has.
      }
    }
    const value = await client.getBuffer(name)
    value?.copy(into)
    return value?.length ?? null
  }

  async set(name: string, value: Buffer, ttlSeconds: number | null): Promise<void> {
    const client = await this.#ready()
    await (ttlSeconds === null ? client.set(name, value) : client.set(name, value, 'EX', ttlSeconds))
  }

  async remove(names: readonly string[]): Promise<number> {
    const client = await this.#ready()
    // One by one: in a cluster they lie in different slots.
    const removed = await Promise.all(names.map(async name => client.unlink(name)))
    return removed.reduce((sum, count) => sum + count, 0)
  }

  async *scan(pattern: string): AsyncIterable<string> {
    const client = await this.#ready()
    const nodes: Redis[] = 'nodes' in client ? client.nodes('master') : [client]
    for (const node of nodes) {
      let cursor = '0'
      do {
        const [next, names] = await node.scan(cursor, 'MATCH', pattern, 'COUNT', SCAN_COUNT)
        yield* names
        cursor = next
      } while (cursor !== '0')
    }
  }

  async ping(): Promise<void> {
    const client = await this.#ready()
    if ('nodes' in client) await Promise.all(client.nodes('master').map(async node => node.ping()))
    else await client.ping()
  }

  async close(): Promise<void> {
    for (const reader of this.#readers.all) reader.close()
    this.#client.disconnect()
  }

  /** The least busy connection for values to the server that the client speaks with; null where that is encrypted. */
  #readerFor(client: Redis): ValueReader | null {
    const {username, password, db, path, tls} = client.options
    if (tls !== undefined) return null
    const {remoteAddress: host = '', remotePort: port = 0} = client.stream
    const server = path === undefined ? {host, port} : {path}
    const of = JSON.stringify(server)
    // After a failover the client speaks with another server.
    if (this.#readers.of !== of) {
      for (const reader of this.#readers.all) reader.close()
      this.#readers = {of, all: []}
    }
    const open = this.#readers.all.filter(({isClosed}) => !isClosed)
    this.#readers = {of, all: open}
    const least = open.toSorted((a, b) => a.pending - b.pending)[0]
    if (least !== undefined && (least.pending === 0 || open.length === MAX_READERS)) return least
    const options: ValueReaderOptions = {
      ...{server, username: username ?? null, password: password ?? null, database: db ?? 0},
      timeoutMs: this.#timeoutMs,
    }
    const reader = new ValueReader(options)
    open.push(reader)
    return reader
  }

  async #ready(): Promise<Redis | Cluster> {
    const client = this.#client
    if (client.status === 'wait' || client.status === 'end')
      this.#connecting ??= client
        .connect()
        // What went wrong was told before.
        .catch(() => undefined)
        .finally(() => (this.#connecting = null))
    await this.#connecting
    // A stream that was cut is not yet told of.
    const isWritable = !('stream' in client) || client.stream.writable
    if (client.status === 'ready' && isWritable) return client
    throw new Error(`no connection to Redis: ${this.#trouble ?? 'it was closed'}`)
  }
}

/** `redis://…`, `rediss://…`, `valkey://…`, `resp://…`, `unix://path`, `redis-sentinel://a:1,b:2`, `redis-cluster://…`. */
function whereIs(url: string): Where {
  const [, scheme = '', rest = ''] = /^([a-z-]+):\/\/(.+)$/.exec(url) ?? []
  switch (scheme) {
    case 'redis':
    case 'rediss':
      return {kind: 'one', url}
    case 'valkey':
    case 'resp':
      return {kind: 'one', url: `redis://${rest}`}
    case 'unix':
      return {kind: 'one', url: rest.startsWith('/') ? rest : `/${rest}`}
    case 'redis-sentinel':
      return {kind: 'sentinels', nodes: nodesOf(url, rest, 26_379)}
    case 'redis-cluster':
    case 'valkey-cluster':
      return {kind: 'cluster', nodes: nodesOf(url, rest, 6379)}
    default:
      throw new ConfigurationError('REMOTE_URL_INVALID', `'${url}' is no address of Redis or Valkey`)
  }
}

function nodesOf(url: string, list: string, usualPort: number): {host: string; port: number}[] {
  return list.split(',').map(text => {
    const [, host = '', digits = String(usualPort)] = /^([^:/]+)(?::(\d+))?\/?$/.exec(text.trim()) ?? []
    if (host === '')
      throw new ConfigurationError('REMOTE_URL_INVALID', `'${text}' in '${url}' is no HOST:PORT`)
    return {host, port: Number(digits)}
  })
}
