import {expect} from 'chai'
import {systemClock} from '../../../src/lib/foundation/index.js'
import {parseYaml} from '../../../src/lib/config/index.js'
import {createHttpClient, type HttpClient} from '../../../src/lib/http/index.js'
import {
  lookAtHosts,
  remoteActions,
  watchRemoteHost,
  type RemoteServer,
} from '../../../src/lib/monitor/index.js'
import {controllerConfigOf} from '../../../src/lib/router/index.js'
import {samplerOf, serveStore, type ApiServer} from '../../support/api-server.js'
import {engineServer} from '../../support/engine-page.js'
import {DRIVER_OK, knownGpu} from '../../support/machine-look.js'
import {rejection} from '../../support/rejection.js'
import {GIB, segmentFolder, type SegmentFolder} from '../../support/segments.js'

describe('a kvctl server seen from another machine', () => {
  const {signal} = new AbortController()
  let folder: SegmentFolder
  let api: ApiServer
  let http: HttpClient
  let server: RemoteServer

  beforeEach(async () => {
    folder = segmentFolder()
    folder.put('vllm-0', 8n * GIB, 6n * GIB, GIB)
    folder.put('sglang-0', 4n * GIB)
    api = await serveStore(folder.store)
    http = createHttpClient()
    server = {url: api.url, token: null, http, clock: systemClock}
  })
  afterEach(async () => {
    await api.close()
    await http.close()
    folder.remove()
  })

  it('shows its segments, all or those asked for', async () => {
    const {segments, trouble} = await watchRemoteHost(server, []).look(5000, signal)
    expect(trouble).to.equal(null)
    expect(segments.map(({name}) => name)).to.deep.equal(['sglang-0', 'vllm-0'])
    expect(segments[1]).to.include({limitBytes: 8 * 2 ** 30, usedBytes: 6 * 2 ** 30, preallocBytes: 2 ** 30})
    expect((await watchRemoteHost(server, ['vllm-0']).look(5000, signal)).segments).to.have.length(1)
  })

  it('shows its GPUs, engines, processes, tiers and models, and orders a model to sleep there', async () => {
    const engine = await engineServer({blocks: '1000', usage: 0.5, model: 'served'})
    const figures = {name: 'NVIDIA L4', uuid: 'GPU-a', memoryTotalBytes: 80, memoryUsedBytes: 20}
    const gpus = [
      {
        ...knownGpu(0, {...figures, powerWatts: 50, enforcedPowerLimitWatts: 72}),
        processes: [],
        migDevices: [],
      },
    ]
    const full = await serveStore(folder.store, {
      engineUrls: [engine.url],
      sampler: samplerOf(() => ({takenAtMs: Date.now(), tookMs: 1, driver: DRIVER_OK, gpus})),
      controller: controllerConfigOf(
        parseYaml(`instances: [{model: served, engine: vllm, url: "${engine.url}"}]`, 'c.yaml'),
        {},
      ),
    })
    try {
      const watch = watchRemoteHost({...server, url: full.url}, [])
      const look = await watch.look(5000, signal)
      expect(look).to.include({trouble: null, devicesMissing: null})
      expect(look.devices).to.have.length(1)
      expect(look.devices[0]).to.include({index: '0', memoryUsedBytes: 20, powerLimitWatts: 72})
      expect(look.engines[0]).to.include({model: 'served', state: 'ok', kvUsagePercent: 50, ttftMs: null})
      expect(look.tiers.map(({name}) => name)).to.include('LocalCPUBackend')
      expect(look.models[0]).to.include({name: 'served', phase: 'awake', controller: full.url})
      const sleep = remoteActions({...server, url: full.url}).order(
        ...([full.url, 'sleep', {kind: 'model', name: 'none', controller: full.url}, signal] as const),
      )
      expect(await rejection(sleep)).to.include({code: 'MODEL_NOT_FOUND'})
    } finally {
      await full.close()
      engine.close()
    }
  })

  it('that serves segments alone says so of the rest', async () => {
    const small = await serveStore(folder.store, {families: ['segments']})
    try {
      const look = await watchRemoteHost({...server, url: small.url}, []).look(5000, signal)
      expect(look).to.deep.include({devices: [], engines: [], tiers: [], models: [], trouble: null})
      expect(look.devicesMissing).to.equal(`${small.url} does not serve /vram`)
    } finally {
      await small.close()
    }
  })

  it('of two, one of which dies, shows the other one fresh and the dead one as it was, with its age', async () => {
    const other = await serveStore(folder.store)
    const hosts = [watchRemoteHost(server, []), watchRemoteHost({...server, url: other.url}, [])]
    const before = await lookAtHosts(hosts, 5000, signal)
    expect(before.hosts.map(({trouble}) => trouble)).to.deep.equal([null, null])
    await other.close()
    const after = await lookAtHosts(hosts, 5000, signal)
    expect(after.hosts[0]).to.include({trouble: null})
    expect(after.hosts[0]!.takenAtMs).to.be.at.least(before.hosts[0]!.takenAtMs!)
    expect(after.hosts[1]!.trouble).to.contain('cannot be reached')
    expect(after.hosts[1]).to.deep.include({
      segments: before.hosts[1]!.segments,
      takenAtMs: before.hosts[1]!.takenAtMs,
    })
  })

  it('sets limits and deletes there, with the refusals of the machine itself', async () => {
    const actions = remoteActions(server)
    const change = await actions.setLimit(api.url, 'vllm-0', {limitBytes: 7n * GIB, isForced: false}, signal)
    expect(change).to.deep.include({name: 'vllm-0', limitBytes: 7n * GIB, outcome: 'applied'})
    expect(change.before.limitBytes).to.equal(8n * GIB)
    expect((await folder.store.read('vllm-0')).record.limitBytes).to.equal(7n * GIB)
    const tooMuch = actions.setLimit(api.url, 'vllm-0', {limitBytes: 9n * GIB, isForced: false}, signal)
    expect(await rejection(tooMuch)).to.include({code: 'LIMIT_ABOVE_STARTUP'})
    const restored = await actions.setLimit(api.url, 'vllm-0', {limitBytes: null, isForced: false}, signal)
    expect(restored.limitBytes).to.equal(8n * GIB + 4096n)
    expect(await rejection(actions.remove(api.url, 'none-such', signal))).to.include({
      code: 'SEGMENT_NOT_FOUND',
    })
    expect(await rejection(actions.prune(api.url, signal))).to.include({code: 'NOT_REMOTE'})
  })

  it('that asks for a token says so, and takes it', async () => {
    const closed = await serveStore(folder.store, {token: 'secret'})
    try {
      const refused = await watchRemoteHost({...server, url: closed.url}, []).look(5000, signal)
      expect(refused.trouble).to.be.a('string')
      const shown = await watchRemoteHost({...server, url: closed.url, token: 'secret'}, []).look(
        5000,
        signal,
      )
      expect(shown).to.include({trouble: null})
    } finally {
      await closed.close()
    }
  })
})
