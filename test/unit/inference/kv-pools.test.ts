import {expect} from 'chai'
import {kvPageOf, usedBlocks, type KvPool} from '../../../src/lib/inference/index.js'

const poolsOf = (page: string): readonly KvPool[] => kvPageOf(page)!.pools
const sums = (page: string): (number | null)[] => {
  const pools = poolsOf(page)
  const sum = (values: (number | null)[]): number | null =>
    values.includes(null) ? null : values.reduce<number>((total, value) => total + value!, 0)
  return [sum(pools.map(({totalBlocks}) => totalBlocks)), sum(pools.map(usedBlocks))]
}

describe('the KV cache on a metrics page', () => {
  it('of vLLM: blocks from labels, use from the gauge, comment lines left out', () => {
    const page = `# HELP vllm:kv_cache_usage_perc KV-cache usage. 1 means 100 percent usage.
# TYPE vllm:kv_cache_usage_perc gauge
vllm:kv_cache_usage_perc{engine="0",model_name="m"} 0.25
# TYPE vllm:cache_config_info gauge
vllm:cache_config_info{block_size="16",cache_dtype="auto",engine="0",num_cpu_blocks="None",num_gpu_blocks="14401"} 1.0
`
    expect(kvPageOf(page)).to.deep.equal({
      kind: 'vllm',
      model: 'm',
      isAsleep: null,
      pools: [
        {
          core: '0',
          totalBlocks: 14_401,
          blockTokens: 16,
          usage: 0.25,
          cachedFreeBlocks: null,
          blockBytes: null,
          cacheDtype: 'auto',
        },
      ],
    })
    // floor(14401 × 0.25 + 0.5)
    expect(usedBlocks(poolsOf(page)[0]!)).to.equal(3600)
  })

  it('of several engine cores: each has its own, and sums are of whole blocks', () => {
    const page = `vllm:cache_config_info{engine="0",num_gpu_blocks="1000"} 1
vllm:cache_config_info{engine="1",num_gpu_blocks="1000"} 1
vllm:kv_cache_usage_perc{engine="0"} 0.5
vllm:kv_cache_usage_perc{engine="1"} 0.1
`
    expect(sums(page)).to.deep.equal([2000, 600])
  })

  it('is unknown, not 0, where the number of blocks is None', () => {
    const page = `vllm:cache_config_info{engine="0",num_gpu_blocks="None"} 1
vllm:kv_cache_usage_perc{engine="0"} 0.5
`
    expect(sums(page)).to.deep.equal([null, null])
  })

  it('is read from the gauge that vLLM had before 0.9', () => {
    const page = `vllm:cache_config_info{engine="0",num_gpu_blocks="100"} 1
vllm:gpu_cache_usage_perc{engine="0"} 0.3
`
    expect(sums(page)).to.deep.equal([100, 30])
  })

  it('is never more than full, nor less than empty', () => {
    const used = (usage: number): number | null => usedBlocks({totalBlocks: 14_401, usage})
    expect([used(1), used(0)]).to.deep.equal([14_401, 0])
    const page = (value: string): string =>
      `vllm:cache_config_info{num_gpu_blocks="10"} 1\nvllm:kv_cache_usage_perc ${value}\n`
    expect([sums(page('1.7')), sums(page('-1')), sums(page('NaN'))]).to.deep.equal([
      [10, 10],
      [10, 0],
      [10, null],
    ])
  })

  it('of SGLang: pages of tokens, once for all ranks, with what is cached but free', () => {
    const page = `sglang:cache_config_info{model_name="q",page_size="64",num_pages="500",tp_rank="0"} 1
sglang:max_total_num_tokens{model_name="q",tp_rank="0"} 32000
sglang:max_total_num_tokens{model_name="q",tp_rank="1"} 32000
sglang:token_usage{model_name="q",tp_rank="0"} 0.5
sglang:kv_evictable_tokens{model_name="q",tp_rank="0"} 6400
`
    const {kind, model, pools} = kvPageOf(page)!
    expect([kind, model, pools.length]).to.deep.equal(['sglang', 'q', 1])
    expect(pools[0]).to.include({totalBlocks: 500, blockTokens: 64, usage: 0.5, cachedFreeBlocks: 100})
    const plain = 'sglang:max_total_num_tokens 1000\nsglang:num_used_tokens 250\n'
    expect(sums(plain)).to.deep.equal([1000, 250])
  })

  it('of kvctl engine: blocks by state and their real bytes', () => {
    const page = `vllm:cache_config_info{engine="0",num_gpu_blocks="512"} 1
kvctl_engine_blocks{state="used"} 12
kvctl_engine_blocks{state="cached_free"} 100
kvctl_engine_block_bytes 65536
`
    expect(kvPageOf(page)).to.deep.include({kind: 'kvctl'})
    expect(poolsOf(page)[0]).to.include({cachedFreeBlocks: 100, blockBytes: 65_536})
  })

  it('says of vLLM whether it sleeps: none of its engines is awake', () => {
    const state = (engine: number, awake: number): string =>
      `vllm:engine_sleep_state{engine="${engine}",sleep_state="awake"} ${awake}\n` +
      `vllm:engine_sleep_state{engine="${engine}",sleep_state="weights_offloaded"} ${1 - awake}\n`
    const page = 'vllm:kv_cache_usage_perc{engine="0"} 0\n'
    expect(kvPageOf(page)!.isAsleep).to.equal(null)
    expect(kvPageOf(page + state(0, 1))!.isAsleep).to.equal(false)
    expect(kvPageOf(page + state(0, 0))!.isAsleep).to.equal(true)
    expect(kvPageOf(page + state(0, 0) + state(1, 1))!.isAsleep).to.equal(false)
  })

  it('is not seen on the page of something else', () => {
    expect(kvPageOf('process_cpu_seconds_total 5\n')).to.equal(null)
    expect(kvPageOf('<html>')).to.equal(null)
  })
})
