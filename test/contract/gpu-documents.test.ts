import {expect} from 'chai'
import {z} from 'zod'
import {samplerOf, serveStore, type ApiServer} from '../support/api-server.js'
import {engineServer, type EnginePage} from '../support/engine-page.js'
import {bareDriver, fullGpu} from '../support/nvml/driver-facts.js'
import {sessionLook} from '../support/nvml/session-look.js'
import {standInDriver} from '../support/nvml/stand-in.js'
import {describeWith} from '../support/requires.js'
import {segmentFolder, type SegmentFolder} from '../support/segments.js'
import {temporaryFolder} from '../support/temporary.js'

const PROCESS = {
  pid: 131_963,
  name: 'VLLM::EngineCor',
  used_bytes: 31_299_958_784,
  reserved_bytes: 31_299_958_784,
}
const THREAD = {thread_id: 0, allocated_bytes: 8_589_934_592, state: 'active'}
const BLOCK = {block_id: 0, address: 0, size: 2_173_952, type: 'kv_cache', allocated: true, utilized: false}
const METRICS = {
  ...{atomic_operations: 0, threads_per_block: 0, occupancy: 0.1, active_blocks: 0, memory_throughput: 0},
  ...{dram_read_bytes: 0, dram_write_bytes: 0, available: false},
}
/** @see maxdcmn/blackbox:blackbox-server/docs/API.md — the answer of GET /vram */
const VRAM = {
  total_bytes: 42_949_672_960,
  used_bytes: 34_561_064_960,
  free_bytes: 8_388_608_000,
  reserved_bytes: 34_561_064_960,
  used_percent: 80.45,
  allocated_blocks: 14_401,
  utilized_blocks: 0,
  free_blocks: 14_401,
  atomic_allocations_bytes: 31_299_958_784,
  fragmentation_ratio: 0.8045,
  processes: [PROCESS],
  threads: [],
  blocks: [BLOCK],
  nsight_metrics: {'131963': METRICS},
}
/** @see efortin/vllm-chill:docs/GPU_STATS.md — the answer of GET /proxy/stats */
const STATS = {
  timestamp: '2025-11-09T10:30:45.123456Z',
  gpus: [
    {
      ...{index: 0, name: 'NVIDIA H100 PCIe', uuid: 'GPU-abc123def456...', utilization_percent: 85.5},
      ...{memory_used_mb: 40_960, memory_total_mb: 81_920, memory_util_percent: 50.5, temperature_c: 65},
      ...{power_draw_w: 350.5, power_limit_w: 400.5, fan_speed_percent: 45},
      ...{encoder_util_percent: 0, decoder_util_percent: 0},
    },
  ],
}

type Json = string | number | boolean | null | readonly Json[] | {readonly [key: string]: Json}

/** Where `given` lacks a key of `example`, has it elsewhere in the order, or has another type there. */
function differences(example: Json, given: Json | undefined, path = '$'): string[] {
  if (Array.isArray(example)) {
    if (!Array.isArray(given)) return [`${path}: no list`]
    return example.length === 0
      ? []
      : given.flatMap(item => differences(example[0] as Json, item as Json, `${path}[]`))
  }
  if (example === null || typeof example !== 'object')
    return typeof given === typeof example ? [] : [`${path}: ${typeof given}, not ${typeof example}`]
  if (given === null || typeof given !== 'object') return [`${path}: no object`]
  const [wanted, found] = [Object.entries(example), given as Record<string, Json>]
  const isByPid = wanted.every(([key]) => /^\d+$/.test(key))
  if (isByPid) return Object.values(found).flatMap(value => differences(wanted[0]![1], value, `${path}.PID`))
  const order = Object.keys(found).slice(0, wanted.length)
  const misplaced = order.join() === wanted.map(([key]) => key).join() ? [] : [`${path}: ${order.join()}`]
  return [...misplaced, ...wanted.flatMap(([key, value]) => differences(value, found[key], `${path}.${key}`))]
}

describeWith(['gcc|cc'], 'the documents of Blackbox and vllm-chill', () => {
  const temporary = temporaryFolder()
  let folder: SegmentFolder
  let server: ApiServer
  let engine: EnginePage
  beforeEach(async () => {
    folder = segmentFolder()
    engine = await engineServer({blocks: '100', usage: 0.25})
    const driver = standInDriver(temporary(), {...bareDriver(2), ...fullGpu(0), ...fullGpu(1)})
    process.env['KVCTL_TEST_NVML_FILE'] = driver.env['KVCTL_TEST_NVML_FILE']
    const look = sessionLook(driver.library, temporary())
    server = await serveStore(folder.store, {sampler: samplerOf(look), engineUrls: [engine.url]})
  })
  afterEach(async () => {
    delete process.env['KVCTL_TEST_NVML_FILE']
    await server.close()
    engine.close()
    folder.remove()
  })
  const answer = async (path: string): Promise<Json> => (await (await server.get(path)).json()) as Json
  type Media = Readonly<Record<string, {schema: Parameters<typeof z.fromJSONSchema>[0]}>>
  const schemaOf = async (path: string): Promise<z.ZodType> => {
    const {paths} = (await answer('/openapi.json')) as unknown as {
      paths: Record<string, {get: {responses: Record<string, {content: Media}>}}>
    }
    return z.fromJSONSchema(paths[path]!.get.responses['200']!.content['application/json']!.schema)
  }

  it('of /vram has every key of the documented example, in its order and of its type', async () => {
    const document = await answer('/vram')
    expect(differences(VRAM, document)).to.deep.equal([])
    expect(document).to.have.property('blocks').with.length(100)
    expect(document).to.have.property('processes').with.length(2)
  })

  it('of /vram/stream is the same', async () => {
    const response = await server.get('/vram/stream')
    const reader = response.body!.getReader()
    let text = ''
    while (!text.includes('\n\n')) text += Buffer.from((await reader.read()).value).toString()
    await reader.cancel()
    const [, data = ''] = /^data: (.*)$/m.exec(text)!
    expect(differences(VRAM, JSON.parse(data) as Json)).to.deep.equal([])
  })

  it('of /proxy/stats has every key of the documented example, in its order and of its type', async () => {
    const document = await answer('/proxy/stats')
    expect(differences(STATS, document)).to.deep.equal([])
    expect(document).to.have.property('gpus').with.length(2)
    expect((document as {timestamp: string}).timestamp).to.match(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
  })

  it('fit their schemas in the OpenAPI document', async () => {
    for (const path of ['/vram', '/vram?blocks=summary', '/vram?schema=2', '/proxy/stats']) {
      const {error} = (await schemaOf(path.split('?')[0]!)).safeParse(await answer(path))
      expect(error && z.prettifyError(error), path).to.equal(undefined)
    }
  })

  it('would have threads of the documented shape', async () => {
    const {threads, ...rest} = (await answer('/vram?blocks=none')) as Record<string, Json>
    expect(threads).to.deep.equal([])
    const schema = await schemaOf('/vram')
    expect(schema.safeParse({...rest, threads: [THREAD]}).success).to.equal(true)
    for (const wrong of [{...THREAD, state: 'asleep'}, {...THREAD, thread_id: 'a'}, {state: 'active'}])
      expect(schema.safeParse({...rest, threads: [wrong]}).success).to.equal(false)
  })
})

describe('the comparison of documents', () => {
  it('finds a key that is missing, of another type or out of order', () => {
    expect(differences({a: 1, b: [{c: ''}]}, {a: 2, b: [{c: 'x', d: 1}], e: 1})).to.deep.equal([])
    expect(differences({a: 1}, {})).to.deep.equal(['$: ', '$.a: undefined, not number'])
    expect(differences({a: 1}, {a: '1'})).to.deep.equal(['$.a: string, not number'])
    expect(differences({a: 1, b: 2}, {b: 2, a: 1})).to.deep.equal(['$: b,a'])
    expect(differences({a: [{b: 1}]}, {a: [{b: 1}, {}]})).to.deep.equal([
      '$.a[]: ',
      '$.a[].b: undefined, not number',
    ])
  })
})
