import {readdirSync} from 'node:fs'
import {join} from 'node:path'
import {expect} from 'chai'
import {readRepositoryFile, repositoryRoot} from '../support/cli.js'
import {
  missingTests,
  parseTestedTables,
  testTitles,
  wrongVerdicts,
  type TestedRow,
} from '../support/compatibility-table.js'

const COLUMNS = ['item', 'upstream', 'kvctl', 'test']
const VARIABLE_COLUMNS = ['variable', 'default', 'effect', 'test']

/** Everything that the upstreams' API documents name, in their order. */
const DOCUMENTED: Readonly<Record<string, readonly string[]>> = {
  'ovg-project/kvcached': [
    ...['ENABLE_KVCACHED', 'KVCACHED_AUTOPATCH', 'KVCACHED_IPC_NAME', 'KVCACHED_GPU_UTILIZATION'],
    ...['KVCACHED_PAGE_SIZE_MB', 'KVCACHED_LOG_LEVEL', 'KVCACHED_PAGE_PREALLOC_ENABLED'],
    ...['KVCACHED_MIN_RESERVED_PAGES', 'KVCACHED_MAX_RESERVED_PAGES', 'KVCACHED_CONTIGUOUS_LAYOUT'],
    ...['KVCACHED_SANITY_CHECK', 'KVCACHED_LOG_COLOR'],
    ...['kvctl shell', 'kvctl list', 'kvctl list --json', 'kvctl limit <ipc_name> <size>'],
    ...['kvctl limit kvcached_vLLM_12345 8G', 'kvctl limit-percent <ipc_name> <percent>'],
    ...[
      'kvctl limit-percent kvcached_vLLM_12345 80',
      'kvctl watch [ipc_name...]',
      'kvctl watch -n <interval>',
    ],
    ...['kvctl kvtop [--refresh <seconds>]', 'kvctl delete <ipc_name>'],
    ...['512M', '512MB', '2G', '2GB', '1024'],
    'kvi.init_kvcached(tp_rank, tp_size, is_worker, device, async_sched)',
    'kvi.alloc_kv_cache(kvcache_shape, block_size, dtype, device, num_layers, attention_type, kv_layout)',
    'kvi.alloc_kv_cache(kvcache_shape, dtype, device, num_layers, page_size, attention_type, kv_layout)',
    'kvi.get_kv_cache_manager(num_blocks, block_size, cell_size, num_layers)',
    ...['manager.alloc(num_blocks)', 'manager.free(block_ids)', 'manager.available_size()'],
    'kvi.shutdown_kvcached()',
    ...['BlockPool', 'GPUModelRunner', 'Worker', 'MHATokenToKVPool'],
    'create_kv_tensors(mem_size_per_layer, dtype_size, device, num_layers)',
    ...['map_to_kv_tensors(page_ids, block_ids)', 'unmap_from_kv_tensors(page_ids, block_ids)'],
    ...['POST /v1/completions', 'POST /v1/chat/completions', 'GET /health', 'GET /models'],
    ...['GET /health/{model}', 'GET /traffic/stats', 'GET /traffic/stats/{model}', 'GET /models/idle'],
    ...['GET /models/active', 'GET /sleep/status', 'POST /action/sleep/{model}'],
    ...['POST /action/wakeup/{model}', 'GET /sleep/candidates'],
    ...['RuntimeError: kvcached is not initialized', 'ValueError: Cannot get N free blocks'],
    ...['FileNotFoundError: /dev/shm/...', 'NotImplementedError: Hybrid models...'],
  ],
  'Siryoos/kserve-vllm-mini': [
    ...['--namespace', '--service', '--requests', '--concurrency', '--model-uri', '--profile', '--max-tokens']
      .concat('--dry-run', '--output-dir', '--skip-deploy')
      .map(flag => `bench.sh ${flag}`),
    ...['--run-dir', '--namespace', '--service', '--output'].map(flag => `analyze.py ${flag}`),
    ...['--namespace', '--service', '--duration', '--cost-config'].map(flag => `cost_estimator.py ${flag}`),
    ...['--run-dir', '--output', '--template'].map(flag => `report_generator.py ${flag}`),
    'validate_config.py --profile',
    ...['metadata.name', 'metadata.description', 'metadata.version', 'load_test.pattern'],
    ...['load_test.duration_seconds', 'load_test.warmup_requests', 'request.max_tokens'],
    ...['request.temperature', 'request.top_p', 'request.stream', 'vllm_features.gpu_memory_utilization'],
    ...['vllm_features.quantization', 'vllm_features.speculative_model'],
    ...['vllm_features.guided_decoding_backend', 'vllm_features.enable_auto_tool_choice'],
    ...['resources.requests', 'resources.limits', 'validation.min_success_rate'],
    ...['validation.max_error_rate', 'validation.max_p95_latency_ms'],
    ...['standard', 'burst', 'speculative-decoding', 'quantization/autoawq', 'structured-output']
      .concat('cpu-smoke')
      .map(name => `runners/profiles/${name}.yaml`),
    ...['timestamp', 'namespace', 'service', 'profile', 'total_requests', 'concurrent_users'].map(
      key => `metadata.${key}`,
    ),
    ...['p50_latency_ms', 'p95_latency_ms', 'p99_latency_ms', 'avg_ttft_ms', 'throughput_rps']
      .concat('success_rate', 'error_rate')
      .map(key => `performance.${key}`),
    ...['cost_per_1k_tokens', 'hourly_cost', 'breakdown.gpu', 'breakdown.cpu', 'breakdown.memory'].map(
      key => `cost.${key}`,
    ),
    ...['energy.energy_per_1k_tokens_wh', 'energy.total_energy_wh', 'resources.avg_gpu_utilization'],
    ...['resources.avg_memory_usage_gb', 'resources.avg_cpu_usage'],
    ...['total_requests', 'successful_requests', 'failed_requests', 'success_rate'].map(
      key => `summary.${key}`,
    ),
    ...['p50', 'p90', 'p95', 'p99'].map(key => `latency.percentiles.${key}`),
    ...['latency.histogram.bins', 'latency.histogram.counts', 'throughput.requests_per_second'],
    ...['throughput.tokens_per_second', 'errors[].timestamp', 'errors[].error', 'errors[].details'],
    ...['KUBECONFIG', 'KVMINI_NAMESPACE', 'KVMINI_OUTPUT_DIR', 'KVMINI_COST_CONFIG', 'AWS_ACCESS_KEY_ID'],
    ...['AWS_SECRET_ACCESS_KEY', 'AWS_DEFAULT_REGION', 'S3_ENDPOINT_URL', 'LOG_LEVEL', 'KVMINI_DEBUG'],
    ...['1', '2', '3', '4', '5', 'InferenceService', 'ConfigMap'],
    ...['kvmini_request_duration_seconds', 'kvmini_requests_total', 'kvmini_errors_total'],
    ...['kvmini_gpu_utilization', 'kvmini_memory_usage_bytes', 'GET /health', 'GET /metrics'],
    ...['POST /api/v1/benchmark', 'GET /api/v1/status', 'GET /api/v1/results/{run_id}'],
  ],
  'LMCache/LMCache': [
    'GET /lmc_version',
    'GET /commit_id',
    'GET /version',
    'GET /inference_info',
    'GET /inference_version',
    'GET /conf',
    'GET /conf?names=',
    'POST /conf',
    'GET /meta',
    'GET /meta?names=',
    'DELETE /cache/clear',
    'DELETE /cache/clear?locations=',
    'POST /cache/store?tokens_mock=',
    'POST /cache/retrieve?tokens_mock=',
    'GET /cache/kvcache/check',
    'POST /cache/kvcache/record_slot',
    'GET /cache/kvcache/info',
    'POST /cache/load-fs-chunks',
    'PUT /freeze/enable',
    'PUT /freeze/disable',
    'GET /freeze/status',
    'PUT /hot_cache/enable',
    'PUT /hot_cache/disable',
    'GET /hot_cache/status',
    'POST /chunk_statistics/start',
    'POST /chunk_statistics/stop',
    'POST /chunk_statistics/reset',
    'GET /chunk_statistics/status',
    'GET /bypass/list',
    'PUT /bypass/add',
    'PUT /bypass/remove',
  ],
  'maxdcmn/blackbox': [
    ...['GET /vram', 'total_bytes', 'used_bytes', 'free_bytes'],
    ...['reserved_bytes', 'used_percent', 'allocated_blocks', 'utilized_blocks'],
    ...['free_blocks', 'atomic_allocations_bytes', 'fragmentation_ratio', 'processes'],
    ...['threads', 'blocks', 'nsight_metrics', 'processes[].pid'],
    ...['processes[].name', 'processes[].used_bytes', 'processes[].reserved_bytes', 'threads[].thread_id'],
    ...['threads[].allocated_bytes', 'threads[].state', 'blocks[].block_id', 'blocks[].address'],
    ...['blocks[].size', 'blocks[].type', 'blocks[].allocated', 'blocks[].utilized'],
    ...[
      'nsight_metrics.PID.atomic_operations',
      'nsight_metrics.PID.threads_per_block',
      'nsight_metrics.PID.occupancy',
      'nsight_metrics.PID.active_blocks',
    ],
    ...[
      'nsight_metrics.PID.memory_throughput',
      'nsight_metrics.PID.dram_read_bytes',
      'nsight_metrics.PID.dram_write_bytes',
      'nsight_metrics.PID.available',
    ],
    ...[
      'GET /vram/stream',
      'data: {…}',
      'Content-Type: text/event-stream',
      'curl http://localhost:6767/vram',
    ],
    ...[
      'curl -N http://localhost:6767/vram/stream',
      'requests.get(…, stream=True)',
      '404 Not Found',
      '500 Internal Server Error',
    ],
    ...['stream_with_reconnect'],
  ],
  'efortin/vllm-chill': [
    ...['GET /proxy/stats', 'timestamp', 'gpus', 'index'],
    ...['name', 'uuid', 'utilization_percent', 'memory_used_mb'],
    ...['memory_total_mb', 'memory_util_percent', 'temperature_c', 'power_draw_w'],
    ...['power_limit_w', 'fan_speed_percent', 'encoder_util_percent', 'decoder_util_percent'],
    ...[
      'X-Cache: HIT',
      'X-Cache: MISS',
      'curl http://localhost:8080/proxy/stats',
      "fetch('http://vllm-chill:8080/proxy/stats')",
    ],
    ...[
      "requests.get('http://localhost:8080/proxy/stats')",
      'GPUStats',
      'Failed to query GPU: no GPUs found',
      'Failed to query GPU: NVML not initialized',
    ],
  ],
}

type Commands = Readonly<Record<string, {readonly flags: Readonly<Record<string, string>>}>>
const commands = JSON.parse(readRepositoryFile('test/contract/commands.json')) as Commands

/** What a line such as `kvctl watch --json` names that the program does not have. */
function unknownParts(line: string): string[] {
  const [, ...words] = line.split(' ')
  const name = [words.slice(0, 2).join(' '), words[0]!].find(candidate => candidate in commands)
  if (name === undefined) return words[0]?.startsWith('--') ? [] : [`kvctl ${words[0]}`]
  const {flags} = commands[name]!
  return words
    .filter(word => /^\[?-/.test(word))
    .map(word => word.replace('[', ''))
    .filter(word =>
      word.startsWith('--')
        ? !(word.slice(2) in flags)
        : !Object.values(flags).some(flag => flag.split(' ').includes(word)),
    )
    .map(word => `${word} of kvctl ${name}`)
}

/** Names in backticks; of a cell's text the ones that begin with `kvctl `. */
const named = (cell: string): string[] => [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name!)

/** The variables that a source file reads: `environment['X']`, and any name of ours or of an upstream in quotes. */
function variablesOf(source: string): string[] {
  const read = [...source.matchAll(/\b(?:env|environment)\[\s*'([A-Z_][A-Z0-9_]*)'/g)]
  const known = [
    ...source.matchAll(/'((?:KVCTL|KVMINI|KVCACHED|LMCACHE|AWS)_[A-Z_]+|[A-Z_]*API_KEY|ENABLE_KVCACHED)'/g),
  ]
  const flags = [...source.matchAll(/\benv: '([A-Z_]+)'/g)]
  return [...read, ...known, ...flags].map(([, name]) => name!)
}

function variablesRead(): Set<string> {
  const files = readdirSync(join(repositoryRoot, 'src'), {recursive: true, encoding: 'utf8'})
  const sources = files
    .filter(file => file.endsWith('.ts'))
    .map(file => readRepositoryFile(join('src', file)))
  return new Set(sources.flatMap(variablesOf))
}

describe('docs/compatibility.md', function () {
  this.timeout(60_000)
  const text = readRepositoryFile('docs/compatibility.md')
  let rows: TestedRow[]

  before(() => {
    rows = parseTestedTables(text, COLUMNS)
  })

  it('names tests that exist', () => {
    expect(missingTests(rows, testTitles(rows))).to.deep.equal([])
  })

  it('says same, differs or not yet of every row, and names a test unless it is not yet', () => {
    expect(wrongVerdicts(rows)).to.deep.equal([])
  })

  it('has a row for everything that the upstreams document, in their order', () => {
    for (const [section, documented] of Object.entries(DOCUMENTED)) {
      const items = rows.filter(row => row.section === section).flatMap(({item}) => named(item).slice(0, 1))
      expect(items.filter(item => documented.includes(item))).to.deep.equal(documented)
    }
  })

  it('names commands and flags that exist', () => {
    const lines = rows.flatMap(({item, says}) => [
      ...named(says).filter(name => name.startsWith('kvctl ')),
      ...(says.startsWith('not yet') ? [] : named(item).filter(name => name.startsWith('kvctl '))),
    ])
    expect(lines).to.include('kvctl limit --wait')
    expect(lines.flatMap(unknownParts)).to.deep.equal([])
  })

  it('calls nothing not yet that exists: commands, and variables that the code reads', () => {
    const read = variablesRead()
    const delivered = rows
      .filter(({says}) => says.startsWith('not yet'))
      .flatMap(({item}) => named(item).slice(0, 1))
      .filter(item => read.has(item) || (item.startsWith('kvctl ') && unknownParts(item).length === 0))
    expect(delivered).to.deep.equal([])
  })

  it('calls no variable the same that the code never reads', () => {
    const read = variablesRead()
    const unread = rows
      .filter(({says}) => says.startsWith('same'))
      .flatMap(({item}) => named(item).slice(0, 1))
      .filter(item => /^[A-Z]+(_[A-Z]+)+$/.test(item) && !read.has(item))
    expect(unread).to.deep.equal([])
  })
})

describe('docs/environment.md', function () {
  this.timeout(60_000)
  const rows = parseTestedTables(readRepositoryFile('docs/environment.md'), VARIABLE_COLUMNS)

  it('has a row for each variable that the code reads, and no other', () => {
    expect(rows.flatMap(({item}) => named(item)).sort()).to.deep.equal([...variablesRead()].sort())
  })

  it('names for each a test that exists', () => {
    expect(rows.filter(({tests}) => tests.length === 0).map(({item}) => item)).to.deep.equal([])
    expect(missingTests(rows, testTitles(rows))).to.deep.equal([])
  })
})

describe('the check of these tables', () => {
  const table = (...lines: string[]): TestedRow[] =>
    parseTestedTables(
      ['## s', '| item | upstream | kvctl | test |', '|---|---|---|---|', ...lines].join('\n'),
      COLUMNS,
    )
  const file = 'test/contract/compatibility.test.ts'

  it('finds a missing file and a missing title, also one that merely resembles a test', () => {
    const rows = table(
      '| a | x | same | `test/contract/none-such.test.ts` › anything |',
      `| b | x | same | \`${file}\` › names tests that exis |`,
      `| c | x | same | \`${file}\` › names tests that exist |`,
      `| d | x | same | \`${file}\` › docs/compatibility.md › names tests that exist |`,
      `| e | x | same | \`${file}\` › docs/environment.md › names tests that exist |`,
    )
    expect(missingTests(rows, testTitles(rows))).to.deep.equal([
      'a: there is no test/contract/none-such.test.ts',
      `b: ${file} has no test 'names tests that exis'`,
      `e: ${file} has no test 'docs/environment.md › names tests that exist'`,
    ])
  })

  it('reads several tests of a row, and a | in a title', () => {
    const [row] = table(`| a \\| b | x | same + c | \`${file}\` › one \\| two<br>\`${file}\` › three |`)
    expect(row).to.deep.equal({
      ...{section: 's', item: 'a | b', says: 'same + c'},
      tests: [
        {file, title: 'one | two'},
        {file, title: 'three'},
      ],
    })
  })

  it('refuses a row with a cell too few and a test cell that names none', () => {
    expect(() => table('| a | x | same |')).to.throw('line 4 is no row of')
    expect(() => table('| a | x | same | tested by hand |')).to.throw('line 4 names no test: tested by hand')
  })

  it('finds a verdict that is none, a promise without a test, and a test without a promise', () => {
    const rows = table(
      '| a | x | almost | |',
      '| b | x | same | |',
      '| c | x | differs: so | |',
      `| d | x | not yet | \`${file}\` › t |`,
      '| e | x | not yet: why | |',
    )
    expect(wrongVerdicts(rows)).to.deep.equal([
      "a: 'almost' is neither same, nor differs: why, nor not yet",
      'b: no test is named',
      'c: no test is named',
      'd: not yet, but has a test',
    ])
  })

  it('finds commands and flags that are not there', () => {
    expect(unknownParts('kvctl limit NAME --wait')).to.deep.equal([])
    expect(unknownParts('kvctl watch -n 1')).to.deep.equal([])
    expect(unknownParts('kvctl limit --wate')).to.deep.equal(['--wate of kvctl limit'])
    expect(unknownParts('kvctl watch -q')).to.deep.equal(['-q of kvctl watch'])
    expect(unknownParts('kvctl levitate')).to.deep.equal(['kvctl levitate'])
  })

  it('finds variables however they are read', () => {
    const source =
      "f(process.env['HOME_A']); environment['B_C'] ?? number(environment, 'KVCTL_D'); x['NOT_ONE']; flag({env: 'E_F'})"
    expect(variablesOf(source)).to.deep.equal(['HOME_A', 'B_C', 'KVCTL_D', 'E_F'])
  })
})
