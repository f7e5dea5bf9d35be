import {mkdirSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {expect} from 'chai'
import {createLogger} from '../../src/lib/foundation/index.js'
import {cacheFigures, embeddedCacheWorker, type EmbeddedWorker} from '../../src/lib/tiers/index.js'
import {identityOf} from '../../src/lib/tiers/worker-identity.js'
import {serveStore, type ApiServer} from '../support/api-server.js'
import {eventually, openSmallWorker, type SmallWorkerOptions} from '../support/cache-worker.js'
import {segmentFolder, type SegmentFolder} from '../support/segments.js'
import {temporaryFolder} from '../support/temporary.js'

interface Answer {
  readonly status: number
  readonly type: string | null
  readonly body: Record<string, unknown>
}

/** Those that a worker of its own can have. @see LMCache/LMCache:lmcache/observability.py */
const LMCACHE_SERIES = `
  num_retrieve_requests num_store_requests num_lookup_requests num_requested_tokens num_hit_tokens
  num_stored_tokens num_lookup_tokens num_lookup_hits num_vllm_hit_tokens num_prompt_tokens
  num_remote_read_requests num_remote_read_bytes num_remote_write_requests num_remote_write_bytes
  local_cpu_evict_count local_cpu_evict_keys_count local_cpu_evict_failed_count forced_unpin_count
  lookup_0_hit_requests num_slow_retrieval_by_time num_slow_retrieval_by_speed remote_ping_errors
  remote_ping_successes retrieve_hit_rate lookup_hit_rate local_cache_usage remote_cache_usage
  local_storage_usage active_memory_objs_count pinned_memory_objs_count remote_ping_latency
  remote_ping_error_code local_cpu_hot_cache_count local_cpu_keys_in_request_count kv_msg_queue_size
  remote_put_task_num pin_monitor_pinned_objects_count lmcache_is_healthy get_blocking_failed_count
  put_failed_count chunk_statistics_enabled chunk_statistics_total_requests
  chunk_statistics_total_chunks chunk_statistics_unique_chunks chunk_statistics_reuse_rate
  chunk_statistics_bloom_filter_size_mb chunk_statistics_bloom_filter_fill_rate
  chunk_statistics_file_count chunk_statistics_current_file_size time_to_retrieve time_to_store
  time_to_lookup retrieve_process_tokens_time retrieve_to_gpu_time store_process_tokens_time
  store_from_gpu_time store_put_time remote_backend_batched_get_blocking_time
  instrumented_connector_batched_get_time retrieve_speed store_speed remote_time_to_get
  remote_time_to_put remote_time_to_get_sync request_cache_hit_rate request_cache_lifespan
  periodic_threads_total_count periodic_threads_running_count periodic_threads_active_count
  periodic_threads_critical_total periodic_threads_critical_running periodic_threads_critical_active
  periodic_threads_high_total periodic_threads_high_running periodic_threads_high_active
  periodic_threads_medium_total periodic_threads_medium_running periodic_threads_medium_active
  periodic_threads_low_total periodic_threads_low_running periodic_threads_low_active
`
  .trim()
  .split(/\s+/)
const SERIES_NOT_HERE = `
  num_vllm_hit_tokens num_prompt_tokens num_slow_retrieval_by_time num_slow_retrieval_by_speed
  remote_ping_errors remote_ping_successes remote_cache_usage remote_ping_latency
  remote_ping_error_code local_cpu_keys_in_request_count kv_msg_queue_size
  chunk_statistics_bloom_filter_size_mb chunk_statistics_bloom_filter_fill_rate
  chunk_statistics_file_count chunk_statistics_current_file_size
  remote_backend_batched_get_blocking_time instrumented_connector_batched_get_time remote_time_to_get
  remote_time_to_put remote_time_to_get_sync request_cache_lifespan
`
  .trim()
  .split(/\s+/)

describe("LMCache's worker API", function () {
  this.timeout(30_000)
  const folder = temporaryFolder()
  let segments: SegmentFolder
  let worker: EmbeddedWorker
  let server: ApiServer

  const serve = async (options: SmallWorkerOptions = {}): Promise<void> => {
    segments = segmentFolder()
    worker = await openSmallWorker({
      ...options,
      identity: {...identityOf({}), ...options.identity},
      settings: {chunk_size: 256, max_local_cpu_size: 1, ...options.settings},
    })
    server = await serveStore(segments.store, {
      cache: embeddedCacheWorker(worker),
      cacheFigures: cacheFigures(worker),
      families: ['cache'],
    })
  }
  beforeEach(async () => serve())
  afterEach(async () => {
    await server.close()
    await worker.close()
    segments.remove()
  })
  const again = async (options: SmallWorkerOptions): Promise<void> => {
    await server.close()
    await worker.close()
    segments.remove()
    await serve(options)
  }
  const ask = async (method: string, path: string, body?: unknown): Promise<Answer> => {
    const response = await server.send(method, path, body)
    return {
      status: response.status,
      type: response.headers.get('content-type'),
      body: (await response.json()) as Record<string, unknown>,
    }
  }
  const ok = async (method: string, path: string, body?: unknown): Promise<Record<string, unknown>> => {
    const answer = await ask(method, path, body)
    expect([answer.status, answer.type]).to.deep.equal([200, 'application/json; charset=utf-8'])
    return answer.body
  }
  const refused = async (status: number, method: string, path: string, body?: unknown): Promise<unknown> => {
    const answer = await ask(method, path, body)
    expect(answer.status).to.equal(status)
    return answer.body
  }

  describe('versions and info', () => {
    for (const [path, text] of [
      ['/lmc_version', '0.1.0+kvctl'],
      ['/commit_id', ''],
      ['/version', '0.1.0+kvctl-NA'],
    ] as const) {
      it(`GET ${path} is a plain text, or JSON for who names it`, async () => {
        const plain = await server.get(path)
        expect(plain.headers.get('content-type')).to.equal('text/plain; charset=utf-8')
        expect([plain.status, await plain.text()]).to.deep.equal([200, text])
        const json = await server.get(path, {accept: 'application/json'})
        expect(json.headers.get('content-type')).to.equal('application/json; charset=utf-8')
        expect(await json.text()).to.equal(JSON.stringify(text))
      })
    }

    it('GET /inference_info describes model and cache, and ignores format', async () => {
      const info = await ok('GET', '/inference_info?format=x')
      expect(info).to.have.all.keys(
        'vllm_version',
        'lmcache_version',
        'vllm_config',
        'model_config',
        'cache_config',
      )
      expect(info['model_config']).to.include({
        model: 'kvctl/embedded',
        num_layers: 4,
        num_kv_heads: 2,
        head_size: 64,
      })
      expect(info['cache_config']).to.include({block_size: 16, cache_dtype: 'torch.bfloat16'})
    })

    it('GET /inference_version', async () => {
      expect(await ok('GET', '/inference_version')).to.deep.equal({vllm_version: '0.1.0+kvctl'})
    })
  })

  describe('configuration and metadata', () => {
    it('GET /conf holds every key, as JSON without infinities', async () => {
      const conf = await ok('GET', '/conf')
      expect(conf).to.include({
        chunk_size: 256,
        local_cpu: true,
        cache_policy: 'LRU',
        save_decode_cache: false,
      })
    })

    it('GET /conf?names=min_retrieve_tokens,save_decode_cache', async () => {
      const asked = {min_retrieve_tokens: 0, save_decode_cache: false}
      expect(await ok('GET', '/conf?names=min_retrieve_tokens,save_decode_cache')).to.deep.equal(asked)
      expect(await ok('GET', '/conf?names=min_retrieve_tokens, save_decode_cache,none')).to.deep.equal(asked)
      expect(Object.keys(await ok('GET', '/conf?names='))).to.have.length.greaterThan(40)
    })

    it('GET /conf does not show passwords', async () => {
      worker.settings.change({remote_url: 'redis://user:secret@host:1'})
      expect(await ok('GET', '/conf?names=remote_url')).to.deep.equal({remote_url: 'redis://user:***@host:1'})
    })

    it('POST /conf changes what can be changed', async () => {
      const change = {min_retrieve_tokens: 512, save_decode_cache: true}
      expect(await ok('POST', '/conf', change)).to.deep.equal({updated: change})
      expect(await ok('GET', '/conf?names=min_retrieve_tokens,save_decode_cache')).to.deep.equal(change)
    })

    it('POST /conf with a key that is unknown: 400, and the others count', async () => {
      expect(await refused(400, 'POST', '/conf', {min_retrieve_tokens: 512, unknown_key: 1})).to.deep.equal({
        updated: {min_retrieve_tokens: 512},
        errors: {unknown_key: 'Unknown config'},
      })
      expect(await ok('GET', '/conf?names=min_retrieve_tokens')).to.deep.equal({min_retrieve_tokens: 512})
    })

    it('POST /conf with a key that cannot change, and a value that cannot be read', async () => {
      expect(
        await refused(400, 'POST', '/conf', {chunk_size: 16, min_retrieve_tokens: 'many'}),
      ).to.deep.equal({
        updated: {},
        errors: {
          chunk_size: 'Config is not mutable at runtime',
          min_retrieve_tokens: 'Failed to set config value',
        },
      })
    })

    it('POST /conf turns a tier off with false, null or nothing', async () => {
      for (const off of [false, null, ''])
        expect(await ok('POST', '/conf', {local_disk: off})).to.deep.equal({updated: {local_disk: null}})
    })

    it('POST /conf with a body that is no JSON, or no object: 400', async () => {
      expect(await refused(400, 'POST', '/conf', '{"min_')).to.include({error: 'Invalid JSON body'})
      expect(await refused(400, 'POST', '/conf', [1])).to.deep.equal({
        error: 'Request body must be a JSON object',
      })
    })

    it('GET /meta, in alphabetical order', async () => {
      const meta = await ok('GET', '/meta')
      expect(Object.keys(meta)).to.deep.equal(Object.keys(meta).sort())
      expect(meta).to.deep.include({
        ...{model_name: 'kvctl/embedded', world_size: 1, worker_id: 0, kv_dtype: 'torch.bfloat16'},
        ...{kv_shape: [4, 2, 256, 2, 64], use_mla: false, role: 'worker', first_rank: 0, chunk_size: 256},
      })
    })

    it('GET /meta?names=worker_id,model_name', async () => {
      expect(await ok('GET', '/meta?names=worker_id,model_name')).to.deep.equal({
        model_name: 'kvctl/embedded',
        worker_id: 0,
      })
    })
  })

  describe('cache operations', () => {
    it('POST /cache/store?tokens_mock=0,100 counts what was asked, and what is stored', async () => {
      expect(await ok('POST', '/cache/store?tokens_mock=0,100')).to.deep.equal({
        status: 'success',
        num_tokens: 100,
        num_stored: 0,
      })
      expect(await ok('POST', '/cache/store?tokens_mock=0,300')).to.include({
        num_tokens: 300,
        num_stored: 256,
      })
    })

    it('POST /cache/retrieve?tokens_mock=0,100 gives 80 where chunks of 20 hold 80', async () => {
      await again({settings: {chunk_size: 20}})
      await ok('POST', '/cache/store?tokens_mock=0,80')
      expect(await ok('POST', '/cache/retrieve?tokens_mock=0,100')).to.deep.equal({
        status: 'success',
        num_tokens: 100,
        num_retrieved: 80,
      })
    })

    it('takes spaces and negative numbers in tokens_mock', async () => {
      expect(await ok('POST', '/cache/store?tokens_mock=%20-256%20,%200')).to.include({
        num_tokens: 256,
        num_stored: 256,
      })
    })

    for (const operation of ['store', 'retrieve']) {
      it(`POST /cache/${operation} without tokens_mock: 400`, async () => {
        const document = {
          error: 'Missing parameters',
          message: 'Must specify either tokens_input or tokens_mock',
        }
        expect(await refused(400, 'POST', `/cache/${operation}`)).to.deep.equal(document)
        expect(await refused(400, 'POST', `/cache/${operation}?tokens_mock=`)).to.deep.equal(document)
      })

      for (const [text, tail] of [
        ['5', 'tokens_mock must contain exactly 2 numbers'],
        ['1,2,3', 'tokens_mock must contain exactly 2 numbers'],
        ['a,2', "invalid literal for int() with base 10: 'a'"],
        ['1,1.5', "invalid literal for int() with base 10: '1.5'"],
        ['2,2', 'start must be less than end'],
        ['3,2', 'start must be less than end'],
      ] as const) {
        it(`POST /cache/${operation}?tokens_mock=${text}: 400`, async () => {
          expect(await refused(400, 'POST', `/cache/${operation}?tokens_mock=${text}`)).to.deep.equal({
            error: 'Invalid tokens_mock format',
            message: `tokens_mock must be 'start,end': ${tail}`,
          })
        })
      }

      it(`POST /cache/${operation} of more tokens than there are slots: 400`, async () => {
        expect(await refused(400, 'POST', `/cache/${operation}?tokens_mock=0,4097`)).to.deep.equal({
          error: 'Too many tokens',
          message: '4097 tokens, but the paged buffer has 4096 slots',
        })
      })
    }

    for (const [method, path, fault, error] of [
      ['POST', '/cache/store?tokens_mock=0,256', 'gather', 'Failed to store cache'],
      ['POST', '/cache/retrieve?tokens_mock=0,256', 'scatter', 'Failed to retrieve cache'],
    ] as const) {
      it(`${method} ${path} that fails: 500 with the type of what was thrown, and no memory is kept`, async () => {
        if (fault === 'scatter') await ok('POST', '/cache/store?tokens_mock=0,256')
        worker.kv[fault] = () => {
          throw new TypeError('the device is gone')
        }
        expect(await refused(500, method, path)).to.deep.equal({
          ...{error, message: 'the device is gone', exception_type: 'TypeError'},
        })
        await worker.clear(null)
        expect(worker.store.cpu.pool.objects).to.equal(0)
      })
    }

    it('DELETE /cache/clear that fails: 500', async () => {
      worker.clear = () => Promise.reject(new Error('no'))
      expect(await refused(500, 'DELETE', '/cache/clear')).to.deep.equal({
        ...{error: 'Failed to clear cache', message: 'no'},
      })
    })

    it('gives the same checksums after store, clear of the CPU tier and retrieve from the disk', async () => {
      await again({settings: {local_disk: folder(), max_local_disk_size: 1}})
      const check = async (): Promise<unknown> =>
        ok('GET', '/cache/kvcache/check?slot_mapping=[0,1023]&chunk_size=256')
      const before = await check()
      expect(await ok('POST', '/cache/store?tokens_mock=0,1024')).to.include({num_stored: 1024})
      await worker.store.settle()
      expect(await ok('DELETE', '/cache/clear?locations=LocalCPUBackend')).to.include({num_removed: 1024})
      worker.kv.scatter([...Array(1024).keys()], new Uint8Array(1024 * 2048))
      expect(await check()).to.not.deep.equal(before)
      expect(await ok('POST', '/cache/retrieve?tokens_mock=0,1024')).to.include({num_retrieved: 1024})
      expect(await check()).to.deep.equal(before)
    })

    it('DELETE /cache/clear empties every tier and counts tokens', async () => {
      await again({settings: {local_disk: folder(), max_local_disk_size: 1}})
      await ok('POST', '/cache/store?tokens_mock=0,512')
      await worker.store.settle()
      expect(await ok('DELETE', '/cache/clear', {})).to.deep.equal({
        ...{status: 'success', num_removed: 1024, num_chunks_removed: 4, skipped_pinned: 0},
        by_backend: {LocalCPUBackend: 512, LocalDiskBackend: 512},
      })
      expect(await ok('POST', '/cache/retrieve?tokens_mock=0,512')).to.include({num_retrieved: 0})
    })

    it('DELETE /cache/clear?locations=LocalCPUBackend&locations=LocalDiskBackend', async () => {
      await ok('POST', '/cache/store?tokens_mock=0,256')
      expect(await ok('DELETE', '/cache/clear?locations=LocalDiskBackend&locations=None')).to.include({
        num_removed: 0,
      })
      for (const query of [
        'locations=LocalCPUBackend&locations=LocalDiskBackend',
        'locations=LocalCPUBackend,None',
      ]) {
        await ok('POST', '/cache/store?tokens_mock=0,256')
        expect(await ok('DELETE', `/cache/clear?${query}`)).to.include({num_removed: 256})
      }
    })

    it('GET /cache/kvcache/check?slot_mapping=0,1,2,3&chunk_size=2', async () => {
      const answer = await ok('GET', '/cache/kvcache/check?slot_mapping=0,1,2,3&chunk_size=2')
      const {chunk_checksums: checksums, ...rest} = answer
      expect(rest).to.deep.equal({
        ...{status: 'success', slot_mapping_ranges: [[0, 3]], chunk_size: 2, num_chunks: 2, layerwise: false},
      })
      expect(checksums).to.have.length(2)
      for (const one of checksums as string[]) expect(one).to.match(/^[0-9a-f]{32}$/)
    })

    it('GET /cache/kvcache/check with layerwise=true has a list for each layer', async () => {
      const answer = await ok('GET', '/cache/kvcache/check?slot_mapping=0,1,2,3&chunk_size=2&layerwise=true')
      expect(answer).to.include({layerwise: true, num_chunks: 2})
      expect(answer['chunk_checksums']).to.have.all.keys('layer_0', 'layer_1', 'layer_2', 'layer_3')
    })

    for (const [isLayerwise, words] of [
      [true, ['true', 'True', '1', 'yes', 'ON', 't', 'y']],
      [false, ['false', 'FALSE', '0', 'no', 'off', 'f', 'n']],
    ] as const) {
      it(`GET /cache/kvcache/check takes ${words.join(', ')} for ${isLayerwise}, as FastAPI does`, async () => {
        for (const word of words)
          expect(
            await ok('GET', `/cache/kvcache/check?slot_mapping=0&chunk_size=1&layerwise=${word}`),
          ).to.include({layerwise: isLayerwise})
      })
    }

    it('GET /cache/kvcache/check shows short runs as numbers', async () => {
      expect(
        await ok('GET', '/cache/kvcache/check?slot_mapping=0,1,5,7,[9,12]&chunk_size=3'),
      ).to.deep.include({
        slot_mapping_ranges: [0, 1, 5, 7, [9, 12]],
        num_chunks: 3,
      })
    })

    for (const [query, status, error, message] of [
      ['', 400, 'Missing parameters', 'slot_mapping parameter is required'],
      ['slot_mapping=', 400, 'Missing parameters', 'slot_mapping parameter is required'],
      ['slot_mapping=0,1', 400, 'Missing parameters', 'chunk_size parameter is required'],
      ['slot_mapping=0&chunk_size=0', 400, 'Invalid chunk_size', 'chunk_size must be a positive integer'],
      [
        'slot_mapping=[0&chunk_size=1',
        400,
        'Invalid slot_mapping format',
        'slot_mapping must be comma-separated integers or ranges like [start,end]: unclosed bracket at position 0',
      ],
      [
        'slot_mapping=-1,0,4096&chunk_size=1',
        400,
        'Invalid slot indices',
        'Slot indices out of bounds: [-1, 4096]. Valid range: 0 to 4095',
      ],
    ] as const) {
      it(`GET /cache/kvcache/check?${query}: ${status} ${error}`, async () => {
        expect(await refused(status, 'GET', `/cache/kvcache/check?${query}`)).to.deep.equal({error, message})
      })
    }

    for (const [query, type] of [
      ['slot_mapping=0&chunk_size=two', 'int_parsing'],
      ['slot_mapping=0&chunk_size=1&layerwise=maybe', 'bool_parsing'],
    ] as const) {
      it(`GET /cache/kvcache/check?${query}: 422 in the form of FastAPI`, async () => {
        const {detail} = (await refused(422, 'GET', `/cache/kvcache/check?${query}`)) as {
          detail: {type: string}[]
        }
        expect(detail.map(one => one.type)).to.deep.equal([type])
      })
    }

    it('POST /cache/kvcache/record_slot switches, and answers when asked', async () => {
      const path = '/cache/kvcache/record_slot'
      const is = (enabled: boolean): unknown => ({status: 'success', kvcache_check_log_enabled: enabled})
      expect(await ok('POST', path)).to.deep.equal(is(false))
      expect(await ok('POST', `${path}?enabled=TRUE`)).to.deep.equal(is(true))
      expect(await ok('POST', path)).to.deep.equal(is(true))
      await ok('POST', '/cache/store?tokens_mock=0,256')
      expect(await ok('POST', `${path}?enabled=false`)).to.deep.equal(is(false))
      await ok('POST', '/cache/retrieve?tokens_mock=0,256')
      const {records} = await ok('GET', '/cache/kvcache/slot_records')
      expect((records as {operation: string}[]).map(({operation}) => operation)).to.deep.equal(['Store'])
      expect((records as unknown[])[0]).to.deep.include({
        ...{request_id: 'cache_api_store', tokens: 256, slot_mapping_ranges: [[0, 255]]},
      })
    })

    it('POST /cache/kvcache/record_slot with anything else: 400', async () => {
      expect(await refused(400, 'POST', '/cache/kvcache/record_slot?enabled=1')).to.deep.equal({
        error: 'Invalid parameter',
        message: "enabled must be 'true' or 'false'",
      })
    })

    it('GET /cache/kvcache/info names layers with shape, dtype and device', async () => {
      const {status, num_layers: count, layers} = await ok('GET', '/cache/kvcache/info')
      expect([status, count]).to.deep.equal(['success', 4])
      expect((layers as Record<string, unknown>)['layer_0']).to.deep.equal({
        ...{shape: [2, 256, 16, 2, 64], dtype: 'torch.bfloat16', device: 'cpu'},
      })
    })
  })

  describe('POST /cache/load-fs-chunks', () => {
    const path = '/cache/load-fs-chunks'
    const config = (): string => join(folder(), 'lmcache.yaml')
    /** A worker whose chunks lie in the folder's `chunks`, and which may read the folder. */
    const withFiles = async (chunks: number): Promise<void> => {
      const settings = {remote_url: `fs://host:1${join(folder(), 'chunks')}`}
      await again({settings, allowedPaths: [folder()]})
      writeFileSync(config(), `remote_url: ${settings.remote_url}\n`)
      await ok('POST', `/cache/store?tokens_mock=0,${chunks * 256}`)
      await worker.store.settle()
      await ok('DELETE', '/cache/clear?locations=LocalCPUBackend')
    }

    it('loads what the configuration names, and says which files failed', async () => {
      await withFiles(3)
      writeFileSync(join(folder(), 'chunks', 'other-SEP-m@1@0@ab@bfloat16.data'), 'no chunk')
      const body = {config_path: config(), max_chunks: 100}
      expect(await ok('POST', path, body)).to.deep.equal({
        ...{status: 'success', loaded_chunks: 3, total_files: 4, failed_keys: ['other/m@1@0@ab@bfloat16']},
        config_path: config(),
      })
      worker.store.bypass('RemoteBackend', true)
      expect(await ok('POST', '/cache/retrieve?tokens_mock=0,768')).to.include({num_retrieved: 768})
    })

    it('loads at most max_chunks, and counts all files', async () => {
      await withFiles(3)
      expect(await ok('POST', path, {config_path: config(), max_chunks: 2})).to.include({
        loaded_chunks: 2,
        total_files: 3,
      })
      const failed = {config_path: config(), max_chunks: 0, max_failed_keys: 0}
      expect(await ok('POST', path, failed)).to.deep.include({loaded_chunks: 3, failed_keys: []})
    })

    it('takes base_path in place of an address', async () => {
      await withFiles(1)
      writeFileSync(config(), `extra_config:\n  base_path: ${join(folder(), 'chunks')}\n`)
      expect(await ok('POST', path, {config_path: config()})).to.include({loaded_chunks: 1})
    })

    it('without a configuration file: 400', async () => {
      await again({allowedPaths: [folder()]})
      expect(await refused(400, 'POST', path, {config_path: '/path/to/lmcache.yaml'})).to.deep.equal({
        error: 'Failed to load chunks from FSConnector',
        message: 'Configuration file not found',
        config_path: '/path/to/lmcache.yaml',
        detail: 'Configuration file not found',
      })
    })

    for (const [what, text, message] of [
      ['broken YAML', 'a: [', 'Invalid configuration file: '],
      ['nothing to load from', 'chunk_size: 256', 'Invalid configuration file: it has no remote_url'],
      ['Redis in it', 'remote_url: redis://a', "remote_url redis://a is not an FSConnector's"],
      ['a folder that is not there', 'remote_url: fs://a/none/such', 'Folder not found'],
      [
        'a folder that may not be read',
        'remote_url: fs://a/etc',
        'Folder is not below a folder that may be read',
      ],
    ] as const) {
      it(`with ${what}: 400`, async () => {
        await again({allowedPaths: [folder()]})
        writeFileSync(config(), text)
        const body = (await refused(400, 'POST', path, {config_path: config()})) as Record<string, string>
        expect(body['message']).to.contain(message)
        expect(body['config_path']).to.equal(config())
      })
    }

    it('with a file outside of the folders that may be read: 400', async () => {
      mkdirSync(join(folder(), 'allowed'))
      await again({allowedPaths: [join(folder(), 'allowed')]})
      writeFileSync(config(), 'remote_url: fs://a/b')
      const body = (await refused(400, 'POST', path, {config_path: config()})) as Record<string, string>
      expect(body['message']).to.contain('not below a folder that may be read')
    })

    for (const [body, type] of [
      ['{', 'json_invalid'],
      ['[]', 'model_attributes_type'],
      ['{}', 'missing'],
      ['{"config_path":1}', 'string_type'],
      ['{"config_path":"a","max_chunks":"b"}', 'int_parsing'],
      ['{"config_path":"a","max_failed_keys":1.5}', 'int_type'],
    ] as const) {
      it(`with the body ${body}: 422 in the form of FastAPI`, async () => {
        const {detail} = (await refused(422, 'POST', path, body)) as {detail: {type: string}[]}
        expect(detail.map(one => one.type)).to.deep.equal([type])
      })
    }

    for (const [state, change, name] of [
      ['while frozen', '/freeze/enable', 'frozen'],
      ['with the hot cache off', '/hot_cache/disable', 'hot cache is disabled'],
    ] as const) {
      it(`${state}: 409, unless forced`, async () => {
        await withFiles(1)
        await ok('PUT', change)
        const body = (await refused(409, 'POST', path, {config_path: config()})) as Record<string, string>
        expect(body['message']).to.contain(name)
        expect(await ok('POST', path, {config_path: config(), force: true})).to.include({loaded_chunks: 1})
      })
    }
  })

  describe('freeze mode', () => {
    it('PUT /freeze/enable, PUT /freeze/disable and GET /freeze/status', async () => {
      for (const enabled of [true, false, false]) {
        const word = enabled ? 'enable' : 'disable'
        expect(await ok('PUT', `/freeze/${word}`)).to.deep.equal({
          ...{status: 'success', freeze: enabled, message: `Freeze mode ${word}d successfully`},
        })
        expect(await ok('GET', '/freeze/status')).to.deep.equal({
          ...{status: 'success', freeze: enabled, message: `Freeze mode is ${word}d`},
        })
      }
    })

    it('skips stores with success, and reads the CPU tier', async () => {
      await ok('POST', '/cache/store?tokens_mock=0,256')
      await ok('PUT', '/freeze/enable')
      expect(await ok('POST', '/cache/store?tokens_mock=1000,1256')).to.include({
        num_tokens: 256,
        num_stored: 0,
      })
      expect(await ok('POST', '/cache/retrieve?tokens_mock=0,256')).to.include({num_retrieved: 256})
      expect(await ok('POST', '/cache/retrieve?tokens_mock=1000,1256')).to.include({num_retrieved: 0})
    })
  })

  describe('the hot cache', () => {
    it('PUT /hot_cache/enable, PUT /hot_cache/disable and GET /hot_cache/status', async () => {
      for (const enabled of [false, true, true]) {
        const word = enabled ? 'enable' : 'disable'
        expect(await ok('PUT', `/hot_cache/${word}`)).to.deep.equal({
          ...{status: 'success', hot_cache: enabled, message: `Hot cache ${word}d successfully`},
        })
        expect(await ok('GET', '/hot_cache/status')).to.deep.equal({
          ...{status: 'success', hot_cache: enabled, message: `Hot cache is ${word}d`},
        })
      }
    })

    it('is cleared when it is disabled, but for what is pinned', async () => {
      await ok('POST', '/cache/store?tokens_mock=0,512')
      await worker.lookupTokens([...Array(256).keys()], 'pin')
      expect(await ok('PUT', '/hot_cache/disable')).to.include({remaining_pinned: 1})
      expect(await ok('POST', '/cache/retrieve?tokens_mock=0,512')).to.include({num_retrieved: 256})
    })

    it('is not given up while frozen, unless forced', async () => {
      await ok('POST', '/cache/store?tokens_mock=0,256')
      await ok('PUT', '/freeze/enable')
      expect(await refused(409, 'PUT', '/hot_cache/disable')).to.include({
        error: 'Failed to disable hot cache',
      })
      expect(await ok('POST', '/cache/retrieve?tokens_mock=0,256')).to.include({num_retrieved: 256})
      expect(await ok('PUT', '/hot_cache/disable?force=true')).to.include({hot_cache: false})
    })
  })

  describe('chunk statistics', () => {
    for (const [word, message] of [
      ['start', 'Started'],
      ['stop', 'Stopped'],
      ['reset', 'Reset'],
    ] as const) {
      it(`POST /chunk_statistics/${word}`, async () => {
        expect(await ok('POST', `/chunk_statistics/${word}`)).to.deep.equal({status: 'success', message})
      })
    }

    it('GET /chunk_statistics/status counts chunks, those behind the last whole one included', async () => {
      await ok('POST', '/chunk_statistics/start')
      for (const tokens of ['0,600', '0,600', '0,256'])
        await ok('POST', `/cache/retrieve?tokens_mock=${tokens}`)
      const status = await ok('GET', '/chunk_statistics/status')
      expect(status).to.include({
        ...{is_collecting: true, enabled: true, total_requests: 3, total_chunks: 7, unique_chunks: 3},
        ...{duplicate_chunks: 4, reuse_rate: 4 / 7, auto_exit_enabled: false},
        ...{auto_exit_timeout_hours: null, auto_exit_target_unique_chunks: null},
      })
      expect(status['timestamp']).to.be.a('number')
      expect(status['bloom_filter']).to.include({hash_count: 6, item_count: 3, expected_elements: 20_000_000})
      await ok('POST', '/chunk_statistics/reset')
      expect(await ok('GET', '/chunk_statistics/status')).to.include({
        total_chunks: 0,
        unique_chunks: 0,
        reuse_rate: 0,
      })
      await ok('POST', '/chunk_statistics/stop')
      await ok('POST', '/cache/retrieve?tokens_mock=0,256')
      expect(await ok('GET', '/chunk_statistics/status')).to.include({is_collecting: false, total_chunks: 0})
    })

    it('stop by themselves when they have seen enough', async () => {
      await again({settings: {chunk_statistics_auto_exit_target_unique_chunks: 2}})
      await ok('POST', '/chunk_statistics/start')
      await ok('POST', '/cache/retrieve?tokens_mock=0,512')
      expect(await ok('GET', '/chunk_statistics/status')).to.include({
        ...{is_collecting: false, auto_exit_enabled: true, auto_exit_target_unique_chunks: 2},
      })
    })

    it('go into files where that is the strategy', async () => {
      const files = {chunk_statistics_file_output_dir: folder(), chunk_statistics_file_rotation_size: 1}
      await again({settings: {chunk_statistics_strategy: 'file_hash', extra_config: files}})
      await ok('POST', '/chunk_statistics/start')
      for (const tokens of ['0,512', '0,512']) await ok('POST', `/cache/retrieve?tokens_mock=${tokens}`)
      const status = await ok('GET', '/chunk_statistics/status')
      expect(status).to.include({total_chunks: 4})
      expect(status['file_hash']).to.include({file_count: 2, output_dir: folder()})
    })
  })

  describe('bypass mode', () => {
    const withRemote = async (): Promise<void> => again({settings: {remote_url: `fs://host:1${folder()}`}})
    const all = ['LocalCPUBackend', 'RemoteBackend']

    it('GET /bypass/list, PUT /bypass/add and PUT /bypass/remove', async () => {
      await withRemote()
      const add = '/bypass/add?backend_name=RemoteBackend'
      const remove = '/bypass/remove?backend_name=RemoteBackend'
      const list = async (): Promise<unknown> => (await ok('GET', '/bypass/list'))['bypassed_backends']
      for (const was of [false, true]) {
        expect(await ok('PUT', add)).to.deep.equal({
          ...{status: 'success', backend_name: 'RemoteBackend', bypassed: true, was_already_bypassed: was},
          bypassed_backends: ['RemoteBackend'],
        })
      }
      expect(await ok('GET', '/bypass/list')).to.deep.equal({
        ...{status: 'success', bypassed_backends: ['RemoteBackend'], all_backends: all},
      })
      for (const was of [true, false]) {
        expect(await ok('PUT', remove)).to.deep.equal({
          ...{status: 'success', backend_name: 'RemoteBackend', bypassed: false, was_bypassed: was},
          bypassed_backends: [],
        })
      }
      expect(await list()).to.deep.equal([])
    })

    for (const word of ['add', 'remove']) {
      it(`PUT /bypass/${word} of an unknown tier: 400 that names those there are`, async () => {
        await withRemote()
        expect(await refused(400, 'PUT', `/bypass/${word}?backend_name=FooBackend`)).to.deep.equal({
          error: 'Unknown backend',
          message: "Backend 'FooBackend' not found. Available: ['LocalCPUBackend', 'RemoteBackend']",
        })
        expect(await refused(400, 'PUT', `/bypass/${word}`)).to.deep.equal({
          error: 'Missing parameter',
          message: 'backend_name is required',
        })
      })
    }

    it('leaves a tier out of store and retrieve, but not of clear', async () => {
      await withRemote()
      await ok('POST', '/cache/store?tokens_mock=0,256')
      await worker.store.settle()
      await ok('DELETE', '/cache/clear?locations=LocalCPUBackend')
      await ok('PUT', '/bypass/add?backend_name=RemoteBackend')
      expect(await ok('POST', '/cache/retrieve?tokens_mock=0,256')).to.include({num_retrieved: 0})
      expect(await ok('DELETE', '/cache/clear')).to.deep.include({
        by_backend: {LocalCPUBackend: 0, RemoteBackend: 256},
      })
    })
  })

  describe('more routes that its users expect', () => {
    it('GET, DELETE and POST /backends close a tier and open it again', async () => {
      await again({settings: {local_disk: folder(), max_local_disk_size: 1}})
      const both = {LocalCPUBackend: 'LocalCPUBackend', LocalDiskBackend: 'LocalDiskBackend'}
      const [cpu, disk] = [{LocalCPUBackend: 'LocalCPUBackend'}, {LocalDiskBackend: 'LocalDiskBackend'}]
      expect(await ok('GET', '/backends')).to.deep.equal(both)
      expect(await ok('DELETE', '/backends/LocalDiskBackend')).to.deep.equal({
        ...{status: 'success', message: 'Backend LocalDiskBackend closed', backends: cpu},
      })
      expect(await refused(404, 'DELETE', '/backends/LocalDiskBackend')).to.deep.equal({
        ...{status: 'not_found', message: 'Backend LocalDiskBackend not found', backends: cpu},
      })
      expect(await ok('POST', '/backends')).to.deep.equal({status: 'success', created: disk, backends: both})
      expect(await ok('POST', '/backends')).to.deep.include({created: {}})
    })

    it('GET /backends/figures says what each tier holds', async () => {
      await ok('POST', '/cache/store?tokens_mock=0,256')
      const {backends} = await ok('GET', '/backends/figures')
      expect((backends as Record<string, unknown>)['LocalCPUBackend']).to.include({
        ...{chunks: 1, bytes: 524_288, pinned_chunks: 0, degraded: null},
      })
    })

    it('GET /loglevel tells the level of the log, and changes it', async () => {
      const lines: string[] = []
      const logger = createLogger('info', line => void lines.push(line))
      await again({logger})
      const say = async (query = ''): Promise<[number, string]> => {
        const response = await server.get(`/loglevel${query}`)
        return [response.status, await response.text()]
      }
      expect(await say()).to.deep.equal([200, '=== Loggers and Levels ===\nkvctl: INFO\n'])
      logger.debug('too fine')
      expect(await say('?logger_name=lmcache&level=debug')).to.deep.equal([
        ...[200, 'Set lmcache level to DEBUG (including all handlers)'],
      ])
      expect(await say('?logger_name=kvctl')).to.deep.equal([200, 'kvctl: DEBUG'])
      logger.debug('fine enough')
      expect(await say('?logger_name=kvctl&level=LOUD')).to.deep.equal([400, 'Invalid log level: LOUD'])
      expect(await say('?logger_name=kvctl&level=ERROR')).to.have.property('0', 200)
      logger.warn('not bad enough')
      expect(lines.join('')).to.match(/^\[kvctl\]\[DEBUG\]\[.*\] fine enough\n$/)
    })

    it('GET /lookup/info', async () => {
      expect(await ok('GET', '/lookup/info')).to.have.all.keys('client', 'server', 'role')
    })

    describe('GET /periodic-threads', () => {
      const one = {total: 1, running: 1, active: 1}
      const none = {total: 0, running: 0, active: 0}

      it('shows what the worker does again and again', async () => {
        await again({settings: {pin_check_interval_sec: 1}})
        await worker.lookupTokens([1], 'held')
        await eventually(() => worker.store.tasks[0]!.runs > 0)
        const {summary, threads} = await ok('GET', '/periodic-threads')
        expect(summary).to.deep.equal({
          ...{total_count: 1, running_count: 1, active_count: 1},
          by_level: {critical: one, high: none, medium: none, low: none},
        })
        const [thread] = threads as Record<string, unknown>[]
        expect(thread).to.have.all.keys(
          ...['name', 'level', 'interval', 'init_wait', 'is_running', 'is_active', 'last_run_time'],
          ...['last_run_ago', 'total_runs', 'failed_runs', 'success_rate', 'last_summary'],
        )
        expect(thread).to.include({
          ...{name: 'PinMonitor-thread', level: 'critical', interval: 1, init_wait: 1},
          ...{is_running: true, is_active: true, failed_runs: 0, success_rate: 100},
        })
        expect(thread!['last_run_time']).to.be.closeTo(Date.now() / 1000, 60)
        expect(thread!['last_summary']).to.include({
          ...{success: true, message: 'pinned lookups: 1, given up: 0'},
        })
        const page = await (await server.get('/metrics')).text()
        expect(page).to.match(/^lmcache:periodic_threads_critical_active\{.*\} 1$/m)
      })

      it('has nulls before the first run, and shows those alone that are asked for', async () => {
        const {threads} = await ok(
          'GET',
          '/periodic-threads?running_only=true&active_only=yes&level=CRITICAL',
        )
        expect((threads as unknown[])[0]).to.include({
          ...{last_run_time: null, last_run_ago: null, success_rate: null, last_summary: null, interval: 30},
        })
        expect((await ok('GET', '/periodic-threads?level=low'))['threads']).to.deep.equal([])
        worker.store.tasks[0]!.stop()
        expect((await ok('GET', '/periodic-threads?running_only=1'))['threads']).to.deep.equal([])
        expect((await ok('GET', '/periodic-threads'))['threads']).to.have.length(1)
      })

      it('with a level that is none: 400; with what is no truth value: 422', async () => {
        expect(await refused(400, 'GET', '/periodic-threads?level=Odd')).to.deep.equal({
          error: 'Invalid level: Odd. Valid values: critical, high, medium, low',
        })
        await refused(422, 'GET', '/periodic-threads?active_only=perhaps')
      })
    })

    it('GET /periodic-threads/NAME shows one, or 404', async () => {
      expect(await ok('GET', '/periodic-threads/PinMonitor-thread')).to.include({level: 'critical'})
      expect(await refused(404, 'GET', '/periodic-threads/heartbeat')).to.deep.equal({
        error: 'Thread not found: heartbeat',
      })
    })

    it('GET /periodic-threads-health is unhealthy when what must go on does not', async () => {
      const path = '/periodic-threads-health'
      expect(await ok('GET', path)).to.deep.equal({
        ...{healthy: true, unhealthy_count: 0, unhealthy_threads: []},
      })
      worker.store.tasks[0]!.stop()
      expect(await ok('GET', path)).to.deep.equal({
        ...{healthy: false, unhealthy_count: 1},
        unhealthy_threads: [{name: 'PinMonitor-thread', level: 'critical', last_run_ago: null, interval: 30}],
      })
    })

    it('GET /metrics has lmcache: series, and POST /metrics/reset zeroes what was counted', async () => {
      await ok('POST', '/cache/store?tokens_mock=0,256')
      await ok('POST', '/cache/retrieve?tokens_mock=0,512')
      const labels =
        '{model_name="kvctl/embedded",worker_id="0",role="worker",served_model_name="kvctl/embedded"}'
      const page = async (): Promise<string> => (await server.get('/metrics')).text()
      for (const line of [
        `lmcache:num_stored_tokens_total${labels} 256`,
        `lmcache:num_requested_tokens_total${labels} 512`,
        `lmcache:num_hit_tokens_total${labels} 256`,
        `lmcache:retrieve_hit_rate${labels} 0.5`,
        `lmcache:local_cpu_hot_cache_count${labels} 1`,
        `lmcache:lmcache_is_healthy${labels} 1`,
        `lmcache:time_to_retrieve_count${labels} 1`,
        `lmcache:retrieve_to_gpu_time_count${labels} 1`,
        `lmcache:store_from_gpu_time_count${labels} 1`,
      ])
        expect(await page()).to.contain(`${line}\n`)
      expect(await (await server.send('POST', '/metrics/reset')).text()).to.equal('ok')
      expect(await page()).to.contain(`lmcache:num_stored_tokens_total${labels} 0\n`)
      expect(await page()).to.contain(`lmcache:local_cpu_hot_cache_count${labels} 1\n`)
    })

    it('GET /metrics has no series that LMCache has not, and all but those of parts that are not here', async () => {
      const page = await (await server.get('/metrics')).text()
      const names = [
        ...page.matchAll(/^# TYPE lmcache:(?:(\w+)_total counter|(\w+) (?:gauge|histogram))$/gm),
      ].map(([, counter, other]) => counter ?? other!)
      expect(names.filter(name => !LMCACHE_SERIES.includes(name))).to.deep.equal([])
      expect(LMCACHE_SERIES.filter(name => !names.includes(name))).to.deep.equal(SERIES_NOT_HERE)
    })

    for (const [method, path, status] of [
      ['GET', '/cache/nothing', 404],
      ['POST', '/freeze/status', 405],
      ['GET', '/cache/store', 405],
    ] as const) {
      it(`${method} ${path}: ${status} with a detail, as FastAPI's`, async () => {
        const {body, status: got} = await ask(method, path)
        expect(got).to.equal(status)
        expect(body['detail']).to.be.a('string')
      })
    }

    it('but no /run_script, which would run what is sent, and no /env', async () => {
      for (const [method, path] of [
        ['POST', '/run_script'],
        ['GET', '/env'],
      ] as const)
        expect((await server.send(method, path)).status).to.equal(404)
    })
  })
})
