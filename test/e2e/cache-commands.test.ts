import {expect} from 'chai'
import {cacheFigures, embeddedCacheWorker, type EmbeddedWorker} from '../../src/lib/tiers/index.js'
import {identityOf} from '../../src/lib/tiers/worker-identity.js'
import {serveStore, type ApiServer} from '../support/api-server.js'
import {openSmallWorker, slotsUpTo} from '../support/cache-worker.js'
import {runCli, type CliResult} from '../support/cli.js'
import {describeWith} from '../support/requires.js'
import {startScriptedWorker, type ScriptedCacheWorker} from '../support/scripted-cache-worker.js'
import {segmentFolder, type SegmentFolder} from '../support/segments.js'
import {Tmux} from '../support/tmux.js'

type Document = Record<string, unknown> & {error?: {code: string; message: string; exit_code: number}}

describe('the commands of topic cache', function () {
  this.timeout(60_000)
  const workers: ScriptedCacheWorker[] = []
  const start = async (...scripts: Parameters<typeof startScriptedWorker>): Promise<ScriptedCacheWorker> => {
    const worker = await startScriptedWorker(...scripts)
    workers.push(worker)
    return worker
  }
  afterEach(async () => {
    for (const worker of workers.splice(0)) await worker.close()
  })
  const kvctl = async (targets: readonly {url: string}[], ...args: string[]): Promise<CliResult> =>
    runCli(['cache', ...args, ...targets.flatMap(({url}) => ['--url', url])], {env: {KVCTL_CACHE_URL: ''}})
  const json = async (targets: readonly {url: string}[], ...args: string[]): Promise<[number, Document]> => {
    const {code, stdout} = await kvctl(targets, ...args, '--json')
    return [code, JSON.parse(stdout) as Document]
  }

  describe('on a real worker of kvctl serve', () => {
    let segments: SegmentFolder
    let worker: EmbeddedWorker
    let server: ApiServer
    before(async () => {
      segments = segmentFolder()
      worker = await openSmallWorker({
        identity: identityOf({}),
        settings: {chunk_size: 256, max_local_cpu_size: 1},
      })
      server = await serveStore(segments.store, {
        ...{cache: embeddedCacheWorker(worker), cacheFigures: cacheFigures(worker), families: ['cache']},
      })
    })
    after(async () => {
      await server.close()
      await worker.close()
      segments.remove()
    })

    it('store, retrieve, check and clear', async () => {
      const check = ['kv', 'check', '--slots', '[0,1023]']
      const [code, before] = await json([server], ...check)
      expect([code, (before['chunk_checksums'] as string[]).length]).to.deep.equal([0, 4])
      expect(await json([server], 'store', '0,1024')).to.deep.equal([
        0,
        {status: 'success', num_tokens: 1024, num_stored: 1024},
      ])
      expect((await kvctl([server], 'retrieve', '0', '1024')).stdout).to.equal(
        'num_tokens     1024\nnum_retrieved  1024\n',
      )
      expect((await json([server], ...check))[1]).to.deep.equal(before)
      expect((await json([server], 'clear', '--location', 'LocalCPUBackend'))[1]).to.include({
        num_removed: 1024,
      })
    })

    for (const [args, expected] of [
      [['freeze', 'status'], {freeze: false}],
      [['hot', 'status'], {hot_cache: true}],
      [['statistics', 'start'], {message: 'Started'}],
      [['statistics', 'stop'], {message: 'Stopped'}],
      [['kv', 'record-slot'], {kvcache_check_log_enabled: false}],
      [['kv', 'info'], {num_layers: 4}],
      [['conf', 'get', 'chunk_size'], {chunk_size: 256}],
      [['meta', 'model_name'], {model_name: 'kvctl/embedded'}],
      [['info'], {lmcache_version: '0.1.0+kvctl', commit_id: '', full_version: '0.1.0+kvctl-NA'}],
    ] as const) {
      it(args.join(' '), async () => {
        const [code, document] = await json([server], ...args)
        expect(code).to.equal(0)
        expect(document).to.include(expected)
      })
    }

    for (const [args, status, message] of [
      [['store', '5', '1'], 2, "'5 1' is no range of tokens"],
      [['store', 'a', '1'], 2, "'a 1' is no range of tokens"],
      [['retrieve', '1024'], 2, "'1024' is no range of tokens"],
      [['retrieve', '0,1,2'], 2, "'0 1,2' is no range of tokens"],
      [['store', '0', '9999'], 2, 'Too many tokens: 9999 tokens, but the paged buffer has 4096 slots'],
      [['kv', 'check', '--slots', '[3,1]'], 2, 'Invalid slot_mapping format: slot_mapping must be'],
      [['kv', 'check', '--slots', '9999'], 2, 'Invalid slot indices: Slot indices out of bounds: [9999]'],
      [['kv', 'check'], 2, 'check needs --slots, such as [0,1023]'],
      [['conf', 'set', 'chunk_size=1'], 2, 'chunk_size: Config is not mutable at runtime'],
      [['conf', 'set', 'nonsense'], 2, "set takes KEY=VALUE pairs, not 'nonsense'"],
      [
        ['load-fs-chunks', '/nowhere.yaml'],
        2,
        'Failed to load chunks from FSConnector: Configuration file not found',
      ],
    ] as const) {
      it(`${args.join(' ')}: one line, and ${status}`, async () => {
        const {code, stderr} = await kvctl([server], ...args)
        expect(code).to.equal(status)
        expect(stderr.split('\n')[0])
          .to.match(/^Error: /)
          .and.contain(message)
        expect(stderr).not.to.contain('{')
      })
    }

    describeWith(['tmux'], 'on a terminal, clear asks first', () => {
      for (const [answer, keys, says, status, left] of [
        ['y', ['y', 'Enter'], /num_removed +256/, 0, 0],
        ['n', ['n', 'Enter'], /Nothing was cleared\./, 0, 256],
        ['nothing', ['Enter'], /Nothing was cleared\./, 0, 256],
        ['Ctrl-D', ['C-d'], /Nothing was cleared\./, 0, 256],
        ['Ctrl-C', ['C-c'], /stopped by SIGINT/, 130, 256],
      ] as const) {
        it(`${answer}: ${left === 0 ? 'clears' : 'keeps everything'}, and leaves with ${status}`, async () => {
          await worker.clear(null)
          await json([server], 'store', '0', '256')
          const tmux = new Tmux({columns: 160})
          try {
            await tmux.start('cache', 'clear', '--url', server.url, ';', 'echo', 'left with $?')
            await tmux.shows('Clear every tier? [y/N]')
            tmux.press(...keys)
            await tmux.shows(`left with ${status}`)
            expect(tmux.screen).to.match(says)
          } finally {
            tmux.close()
          }
          expect(await worker.retrieveTokens(slotsUpTo(256), slotsUpTo(256), 'test', 0)).to.equal(left)
        })
      }
    })

    it('conf set says what was refused, and leaves with 2', async () => {
      expect(
        await json([server], 'conf', 'set', 'min_retrieve_tokens=1', 'save_decode_cache=true'),
      ).to.deep.equal([0, {updated: {min_retrieve_tokens: 1, save_decode_cache: true}}])
      const [code, {error}] = await json([server], 'conf', 'set', 'chunk_size=1')
      expect(code).to.equal(2)
      expect(error?.message).to.equal('chunk_size: Config is not mutable at runtime')
      expect((await kvctl([server], 'conf', 'set', 'chunk_size=1', 'min_retrieve_tokens=2')).stderr).to.equal(
        'Error: chunk_size: Config is not mutable at runtime (min_retrieve_tokens changed all the same)\n',
      )
    })

    it('bypass add of an unknown tier names those there are, and leaves with 2', async () => {
      const {code, stderr} = await kvctl([server], 'bypass', 'add', 'FooBackend')
      expect(code).to.equal(2)
      expect(stderr).to.equal(
        "Error: Unknown backend: Backend 'FooBackend' not found. Available: ['LocalCPUBackend']\n",
      )
    })

    it('KVCTL_CACHE_URL: the worker that is asked, or several', async () => {
      const ask = async (url: string): Promise<CliResult> =>
        runCli(['cache', 'meta', 'worker_id', '--json'], {env: {KVCTL_CACHE_URL: url}})
      expect(JSON.parse((await ask(server.url)).stdout)).to.deep.equal({worker_id: 0})
      expect(JSON.parse((await ask(`${server.url}, ${server.url}`)).stdout))
        .to.have.property('targets')
        .with.length(2)
      expect(await ask('nowhere')).to.include({code: 2})
    })
  })

  describe('on ranks of LMCache', () => {
    const ranks = async (): Promise<ScriptedCacheWorker[]> => [
      await start({role: 'scheduler'}),
      await start({workerId: 0, retrieves: 512}),
      await start({workerId: 1, retrieves: 256}),
    ]

    it('clear sums what was removed, retrieve takes the least, and the scheduler has no part in it', async () => {
      const all = await ranks()
      const [code, cleared] = await json(all, 'clear', '--yes')
      expect([code, cleared['num_removed']]).to.deep.equal([0, 256])
      expect((cleared['targets'] as {status: number}[]).map(({status}) => status)).to.deep.equal([
        503, 200, 200,
      ])
      expect((await json(all, 'retrieve', '0', '1024'))[1]).to.include({num_retrieved: 256})
    })

    it('statistics come from the scheduler, whatever it calls the flag', async () => {
      const [code, status] = await json(await ranks(), 'statistics', 'status')
      expect(code).to.equal(0)
      expect(status).to.include({is_collecting: true, enabled: true, total_chunks: 10})
    })

    it('a rank that cannot be reached makes it a failure that names the rank', async () => {
      const [code, {error}] = await json([await start(), {url: 'http://127.0.0.1:1'}], 'clear', '--yes')
      expect([code, error?.code]).to.deep.equal([3, 'ENDPOINT_UNREACHABLE'])
      expect(error?.message).to.match(
        /^1 of 2 cache workers failed: http:\/\/127\.0\.0\.1:1\/cache\/clear cannot be reached/,
      )
    })

    it('a clear that hangs ends at --timeout', async () => {
      const {code, stderr} = await kvctl(
        [await start({hangs: ['DELETE /cache/clear']})],
        'clear',
        '--yes',
        '--timeout',
        '0.2',
      )
      expect(code).to.equal(3)
      expect(stderr).to.contain('did not answer within 200 ms')
    })

    it('workers lists ranks, the process without an engine, and what cannot be reached', async () => {
      const all = [...(await ranks()), {url: 'http://127.0.0.1:1'}]
      const {code, stdout} = await kvctl(all, 'workers', '--json')
      expect(code).to.equal(3)
      const rows = JSON.parse(stdout) as Record<string, unknown>[]
      expect(rows.map(({state, worker_id: id, version}) => [state, id, version])).to.deep.equal([
        ['no engine', null, '0.3.9'],
        ['ready', 0, '0.3.9'],
        ['ready', 1, '0.3.9'],
        ['unreachable', null, null],
      ])
      expect((await kvctl(all, 'workers')).stdout).to.match(/^WORKER +STATE +RANK +MODEL, TIERS\n/)
    })

    it('workers marks the tiers that are left out', async () => {
      const backends = {LocalCPUBackend: {degraded: 'no room'}}
      const one = await start({
        answers: {'GET /backends/figures': [200, JSON.stringify({status: 'success', backends})]},
      })
      expect((await kvctl([one], 'workers')).stdout).to.contain('LocalCPUBackend (degraded)')
      const rows = (await json([one, await start()], 'workers'))[1] as unknown as Document[]
      expect(rows.map(({degraded_tiers: tiers}) => tiers)).to.deep.equal([{LocalCPUBackend: 'no room'}, null])
    })
  })

  describe('on a worker with an oddity', () => {
    it('take versions out of their quotes', async () => {
      expect((await json([await start()], 'info'))[1]).to.include({
        lmcache_version: '0.3.9',
        full_version: '0.3.9-NA',
      })
    })

    it('read settings with bare infinities, sent as text', async () => {
      expect((await json([await start()], 'conf', 'get'))[1]).to.deep.equal({
        ...{chunk_size: 256, note: 'Infinity, NaN', pd_allocation_timeout_sec: null, low: null, ratio: null},
      })
    })

    it('call a partial change a failure although it came with 200', async () => {
      const [one, two] = [await start(), await start()]
      const [code, {error}] = await json([one, two], 'conf', 'set', 'min_retrieve_tokens=512', 'chunk_sise=1')
      expect(code).to.equal(2)
      expect(error?.message).to.contain('chunk_sise: Unknown config')
      expect((await json([one], 'conf', 'set', 'chunk_sise=1'))[0]).to.equal(2)
    })

    it('ask an older worker for freeze where it has it', async () => {
      const old = await start({isOld: true})
      expect((await json([old], 'freeze', 'enable'))[1]).to.include({freeze: true})
      expect(old.asked).to.deep.equal(['PUT /freeze/enable', 'PUT /hot_cache_freeze_mode/enable'])
    })

    for (const [what, args, code, message] of [
      ['503 without an engine', ['freeze', 'status'], 4, 'LMCache engine not configured.'],
      ['a list in detail', ['kv', 'check', '--slots', '0'], 2, 'chunk_size: not an integer'],
      ['a text in detail', ['load-fs-chunks', 'a.yaml'], 2, 'Invalid configuration file: gone'],
      ['404 for its buffers', ['kv', 'info'], 4, 'kv_caches is empty or not initialized'],
    ] as const) {
      it(`say what ${what} means`, async () => {
        const worker = await start(what.startsWith('503') ? {role: 'scheduler'} : {})
        const [status, {error}] = await json([worker], ...args)
        expect(status).to.equal(code)
        expect(error?.message).to.contain(message)
      })
    }

    it('say what a plain text means', async () => {
      const worker = await start({answers: {'POST /cache/store': [500, 'Internal Server Error']}})
      const [status, {error}] = await json([worker], 'store', '0', '1')
      expect([status, error?.message]).to.deep.equal([3, 'Internal Server Error'])
    })
  })

  describe('in front of ranks', () => {
    it('kvctl serve --cache-worker answers for them as one', async () => {
      const {createHttpClient} = await import('../../src/lib/http/index.js')
      const {RemoteWorkers} = await import('../../src/lib/tiers/index.js')
      const http = createHttpClient()
      const health = (unhealthy: object[]): Readonly<Record<string, readonly [number, string]>> => ({
        'GET /periodic-threads-health': [
          200,
          JSON.stringify({
            ...{healthy: unhealthy.length === 0, unhealthy_count: unhealthy.length},
            unhealthy_threads: unhealthy,
          }),
        ],
      })
      const urls = [
        (await start({retrieves: 512, answers: health([])})).url,
        (await start({workerId: 1, retrieves: 256, answers: health([{name: 'heartbeat'}])})).url,
      ]
      const remote = new RemoteWorkers({urls, http, timeoutMs: 5000, token: null})
      const segments = segmentFolder()
      const front = await serveStore(segments.store, {cache: remote, cacheFigures: null, families: ['cache']})
      try {
        const answer = (await (
          await front.send('POST', '/cache/retrieve?tokens_mock=0,1024')
        ).json()) as Document
        expect(answer).to.include({status: 'success', num_retrieved: 256})
        expect(await (await front.get('/lmc_version')).text()).to.equal('0.3.9')
        // One that stands still is enough.
        expect(await (await front.get('/periodic-threads-health')).json()).to.deep.include({
          ...{healthy: false, unhealthy_count: 1, unhealthy_threads: [{name: 'heartbeat'}]},
        })
      } finally {
        await front.close()
        await http.close()
        segments.remove()
      }
    })
  })
})
