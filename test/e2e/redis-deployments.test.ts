import {execFileSync} from 'node:child_process'
import {expect} from 'chai'
import {Redis} from 'ioredis'
import type {EmbeddedWorker} from '../../src/lib/tiers/index.js'
import {bytesOf, eventually, openSmallWorker, slotsUpTo, wipe} from '../support/cache-worker.js'
import {freePort} from '../support/free-port.js'
import {startRedis, type RedisServer} from '../support/redis.js'
import {describeWith} from '../support/requires.js'

/** A client that keeps what happens to its connection to itself. */
function quiet(client: Redis): Redis {
  client.on('error', () => undefined)
  return client
}

describeWith(['redis-server', 'redis-cli'], 'the Redis tier', function (this: Mocha.Suite) {
  this.timeout(60_000)
  const servers: RedisServer[] = []
  let worker: EmbeddedWorker | null = null
  afterEach(async () => {
    await worker?.close()
    worker = null
    for (const server of servers.splice(0)) await server.stop()
  })
  const start = async (config: readonly string[], isSentinel = false): Promise<RedisServer> => {
    const server = await startRedis(config, isSentinel)
    servers.push(server)
    return server
  }
  const store = async (count: number): Promise<string> => {
    worker!.storeTokens(slotsUpTo(count), slotsUpTo(count), 'r')
    await worker!.store.settle()
    return bytesOf(worker!, slotsUpTo(count))
  }
  const retrieve = async (count: number): Promise<number> => {
    await worker!.clear(['LocalCPUBackend'])
    wipe(worker!, count)
    return worker!.retrieveTokens(slotsUpTo(count), slotsUpTo(count), 'r')
  }
  const degraded = (): string | null => worker!.store.tiers[1]!.figures.degraded

  it('behind a sentinel finds the new master after a failover, and what was replicated', async () => {
    const master = await start([])
    const replica = await start([`replicaof 127.0.0.1 ${master.port}`])
    const observer = quiet(new Redis(replica.url))
    await eventually(async () => (await observer.info('replication')).includes('master_link_status:up'))
    const sentinel = await start(
      [
        `sentinel monitor redismaster 127.0.0.1 ${master.port} 1`,
        'sentinel down-after-milliseconds redismaster 300',
        'sentinel failover-timeout redismaster 2000',
      ],
      true,
    )
    const watcher = quiet(new Redis(sentinel.port, '127.0.0.1'))
    await eventually(
      async () => ((await watcher.call('SENTINEL', 'REPLICAS', 'redismaster')) as unknown[]).length === 1,
    )
    worker = await openSmallWorker({settings: {remote_url: `redis-sentinel://127.0.0.1:${sentinel.port}`}})
    const before = await store(16)
    await eventually(async () => (await observer.dbsize()) === 4)
    await master.kill()
    expect(await worker.retrieveTokens(slotsUpTo(16), slotsUpTo(16), 'r')).to.equal(16)
    await retrieve(16)
    await eventually(async () => (await observer.role())[0] === 'master')
    await eventually(() => degraded() === null)
    await eventually(async () => (await retrieve(16)) === 16)
    expect(bytesOf(worker, slotsUpTo(16))).to.equal(before)
    observer.disconnect()
    watcher.disconnect()
  })

  it('spreads chunks over a cluster of three, and finds, lists and clears them', async () => {
    const nodes: RedisServer[] = []
    for (let node = 0; node < 3; node++) {
      const bus = `cluster-port ${await freePort()}`
      nodes.push(await start(['cluster-enabled yes', 'cluster-node-timeout 2000', bus]))
    }
    const addresses = nodes.map(({port}) => `127.0.0.1:${port}`)
    execFileSync('redis-cli', ['--cluster', 'create', ...addresses, '--cluster-yes'], {stdio: 'ignore'})
    const clients = nodes.map(({url}) => quiet(new Redis(url)))
    for (const client of clients)
      await eventually(async () => (await client.cluster('INFO')).includes('cluster_state:ok'))
    worker = await openSmallWorker({settings: {remote_url: `redis-cluster://${addresses.join(',')}`}})
    const before = await store(64)
    const sizes = await Promise.all(clients.map(async client => client.dbsize()))
    expect(sizes.reduce((sum, size) => sum + size)).to.equal(16)
    expect(sizes.filter(size => size > 0)).to.have.length.greaterThan(1)
    expect(await retrieve(64)).to.equal(64)
    expect(bytesOf(worker, slotsUpTo(64))).to.equal(before)
    expect(await worker.clear(['RemoteBackend'])).to.include({chunks: 8})
    expect(await retrieve(64)).to.equal(0)
    for (const client of clients) client.disconnect()
  })
})
