import {expect} from 'chai'
import {Redis} from 'ioredis'
import {chunkLayout} from '../../../src/lib/tiers/core/memory-format.js'
import {writeMetadata} from '../../../src/lib/tiers/core/remote-metadata.js'
import {
  bytesOf,
  CHUNK_BYTES,
  eventually,
  slotsUpTo,
  SMALL_IDENTITY,
  type SmallWorkerOptions,
} from '../../support/cache-worker.js'
import {startRedis, type RedisServer} from '../../support/redis.js'
import {describeWith} from '../../support/requires.js'
import {tierRig} from '../../support/tier-rig.js'

describeWith(['redis-server'], 'the Redis tier', function (this: Mocha.Suite) {
  this.timeout(30_000)
  const header = writeMetadata(chunkLayout(SMALL_IDENTITY.shape, 8))
  const rig = tierRig()
  const {store, retrieve, bytesAt} = rig
  let server: RedisServer
  let client: Redis
  before(async () => {
    server = await startRedis()
    client = new Redis(server.url)
    client.on('error', () => undefined)
  })
  after(async () => {
    client.disconnect()
    await server.stop()
  })
  const open = async (settings: SmallWorkerOptions['settings'] = {}): Promise<void> =>
    rig.open({settings: {remote_url: server.url, ...settings}})
  beforeEach(async () => {
    await client.flushall()
  })

  const keyOf = (count: number): string => rig.worker.keysOf(slotsUpTo(count)).at(-1)!.key.text
  it("holds two values a chunk, as upstream's: header and bytes", async () => {
    await open()
    await store(8)
    expect((await client.keys('*')).sort()).to.deep.equal([`${keyOf(8)}kv_bytes`, `${keyOf(8)}metadata`])
    expect((await client.getBuffer(`${keyOf(8)}metadata`))!.equals(header)).to.equal(true)
    expect((await client.getBuffer(`${keyOf(8)}kv_bytes`))!.equals(bytesAt(8))).to.equal(true)
    expect(await client.ttl(`${keyOf(8)}kv_bytes`)).to.equal(-1)
  })

  it('gives back the bytes that were stored, also to another process', async () => {
    await open()
    const before = await store(24)
    await rig.worker.close()
    await open()
    expect(await retrieve(24)).to.equal(24)
    expect(bytesOf(rig.worker, slotsUpTo(24))).to.equal(before)
  })

  for (const [generation, nameOf] of [
    [1, (hash: string) => `vllm@org/m@1@0@${hash}`],
    [2, (hash: string) => `vllm@org/m@1@0@${hash}@bfloat16`],
    [3, (hash: string) => `org/m@1@0@${hash}@bfloat16`],
  ] as const) {
    it(`reads what stands under a key of generation ${generation}`, async () => {
      await open()
      const before = bytesOf(rig.worker, slotsUpTo(8))
      const name = nameOf(rig.worker.keysOf(slotsUpTo(8))[0]!.key.hash)
      await client.set(`${name}kv_bytes`, bytesAt(8))
      await client.set(`${name}metadata`, header)
      expect(await retrieve(8)).to.equal(8)
      expect(bytesOf(rig.worker, slotsUpTo(8))).to.equal(before)
    })
  }

  it('misses a chunk whose bytes the server evicted, and deletes what is left of it', async () => {
    await open()
    await store(8)
    await client.del(`${keyOf(8)}kv_bytes`)
    expect(await retrieve(8)).to.equal(0)
    expect(await client.keys('*')).to.deep.equal([])
  })

  for (const [what, damage, reason] of [
    [
      'a header that is none',
      async (key: string) => client.set(`${key}metadata`, 'x'),
      'a header of 1 bytes',
    ],
    ['too few bytes', async (key: string) => client.set(`${key}kv_bytes`, 'x'), 'has 1 bytes, not 512'],
    [
      'another dtype',
      async (key: string) =>
        client.set(
          `${key}metadata`,
          writeMetadata({format: 'KV_2LTD', tensors: [{dtype: 'half', shape: [2, 2, 8, 8]}]}),
        ),
      'is KV_2LTD half',
    ],
  ] as const) {
    it(`refuses a chunk with ${what}, and says why`, async () => {
      await open()
      await store(8)
      await damage(keyOf(8))
      expect(await retrieve(8)).to.equal(0)
      expect(rig.warnings.join()).to.contain(reason)
      expect(rig.worker.store.tiers[1]!.figures).to.include({refusedReads: 1, degraded: null})
    })
  }

  it('clears the chunks of its own worker alone, and names with patterns in them too', async () => {
    await open()
    await store(16)
    await client.set('org/m@2@1@ab@bfloat16kv_bytes', 'of another rank')
    expect(await rig.worker.clear(['RemoteBackend'])).to.include({tokens: 16, chunks: 2})
    expect(await client.keys('*')).to.deep.equal(['org/m@2@1@ab@bfloat16kv_bytes'])
  })

  it('gives values a time to live where one is set', async () => {
    await open({extra_config: {remote_ttl_seconds: 60}})
    await store(8)
    expect(await client.ttl(`${keyOf(8)}kv_bytes`)).to.be.within(1, 60)
  })

  it('as valkey:// holds one value a chunk, and takes only whole chunks back', async () => {
    await open({remote_url: server.url.replace('redis:', 'valkey:')})
    const before = await store(16)
    expect(await client.keys('*'))
      .to.have.length(2)
      .and.include(keyOf(8))
    expect((await client.getBuffer(keyOf(8)))!.equals(bytesAt(8))).to.equal(true)
    expect(await retrieve(16)).to.equal(16)
    expect(bytesOf(rig.worker, slotsUpTo(16))).to.equal(before)
    await client.set(keyOf(8), Buffer.alloc(CHUNK_BYTES - 1))
    expect(await retrieve(16)).to.equal(0)
    expect(await rig.worker.clear(['RemoteBackend'])).to.include({chunks: 2})
  })

  it('killed and started again: requests are answered meanwhile, and it recovers by itself', async () => {
    await open()
    await store(8)
    await server.kill()
    rig.worker.storeTokens(slotsUpTo(16), slotsUpTo(16), 'r')
    await rig.worker.store.settle()
    expect(await rig.worker.retrieveTokens(slotsUpTo(16), slotsUpTo(16), 'r')).to.equal(16)
    const tier = rig.worker.store.tiers[1]!
    expect(await retrieve(16)).to.equal(0)
    expect(tier.figures.degraded).to.match(/^no connection to Redis: |^Connection is closed/)
    await server.start()
    await eventually(() => tier.figures.degraded === null)
    const before = await store(16)
    expect(await retrieve(16)).to.equal(16)
    expect(bytesOf(rig.worker, slotsUpTo(16))).to.equal(before)
  })

  it('that answers too slowly is a miss after its time, and recovers by itself', async () => {
    await open({blocking_timeout_secs: 1})
    await store(8)
    server.process.kill('SIGSTOP')
    try {
      expect(await retrieve(8)).to.equal(0)
      expect(rig.worker.store.tiers[1]!.figures.degraded).to.be.a('string')
    } finally {
      server.process.kill('SIGCONT')
    }
    await eventually(() => rig.worker.store.tiers[1]!.figures.degraded === null)
    expect(await retrieve(8)).to.equal(8)
  })

  describe('with chunks of 64 KiB', () => {
    const openLarge = async (): Promise<void> =>
      rig.open({
        settings: {remote_url: server.url, max_local_cpu_size: 0.01, blocking_timeout_secs: 1},
        identity: {shape: {layers: 2, kvSize: 2, heads: 8, headSize: 128, dtype: 'bfloat16'}},
      })
    const connections = async (): Promise<number> =>
      ((await client.client('LIST')) as string).trim().split('\n').length

    it('reads them over connections of their own, of which there are four', async () => {
      await openLarge()
      const before = await store(64)
      const usual = await connections()
      for (let turn = 0; turn < 3; turn++) {
        expect(await retrieve(64)).to.equal(64)
        expect(bytesOf(rig.worker, slotsUpTo(64))).to.equal(before)
      }
      expect(await connections()).to.equal(usual + 4)
      await rig.worker.close()
      await eventually(async () => (await connections()) === usual - 1)
    })

    it('reads them over the usual connection where the server takes no more', async () => {
      await openLarge()
      const before = await store(32)
      await client.config('SET', 'maxclients', String(await connections()))
      try {
        expect(await retrieve(32)).to.equal(32)
        expect(bytesOf(rig.worker, slotsUpTo(32))).to.equal(before)
        expect(rig.worker.store.tiers[1]!.figures).to.include({degraded: null, failedReads: 0})
      } finally {
        await client.config('SET', 'maxclients', '1000')
      }
    })

    it('keeps no memory for those that come too late', async () => {
      await openLarge()
      await store(32)
      expect(await retrieve(32)).to.equal(32)
      await rig.worker.clear(['LocalCPUBackend'])
      server.process.kill('SIGSTOP')
      try {
        expect(await retrieve(32)).to.equal(0)
      } finally {
        server.process.kill('SIGCONT')
      }
      const {pool} = rig.worker.store.cpu
      await eventually(() => pool.objects === 0)
      await eventually(() => rig.worker.store.tiers[1]!.figures.degraded === null)
      expect(await retrieve(32)).to.equal(32)
    })
  })

  it('that is not there when the worker starts holds up nothing', async () => {
    await open({remote_url: 'redis://127.0.0.1:1'})
    await store(8)
    expect(await rig.worker.retrieveTokens(slotsUpTo(8), slotsUpTo(8), 'r')).to.equal(8)
    expect(rig.worker.store.tiers[1]!.figures.degraded).to.equal(
      'no connection to Redis: connect ECONNREFUSED 127.0.0.1:1',
    )
  })
})
