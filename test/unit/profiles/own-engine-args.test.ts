import {expect} from 'chai'
import {ownEngineArgs} from '../../../src/lib/profiles/index.js'

describe('what a profile asks of the embedded engine', () => {
  it('is tools, prefix cache, chunked prefill, the KV type and the longest context', () => {
    const features = {enable_auto_tool_choice: true, tool_call_parser: 'hermes', enable_prefix_caching: false}
    expect(ownEngineArgs({...features, kv_cache_dtype: 'fp8', max_model_len: 16_384})).to.deep.equal([
      ...['--no-enable-prefix-caching', '--enable-auto-tool-choice', '--tool-call-parser', 'hermes'],
      ...['--kv-cache-dtype', 'fp8', '--max-model-len', '16384'],
    ])
  })

  it('is nothing that it does not have', () => {
    const features = {quantization: 'awq', speculative_model: 'm', device: 'cpu', gpu_memory_utilization: 0.9}
    expect(
      ownEngineArgs({...features, enable_auto_tool_choice: true, kv_cache_dtype: 'nvfp4'}),
    ).to.deep.equal([])
  })
})
