import {expect} from 'chai'
import {engineRoleOf} from '../../../src/lib/machine/index.js'

describe('the role of a process in an engine', () => {
  for (const [command, engine, role, rank] of [
    ['VLLM::EngineCore', 'vllm', 'engine_core', null],
    ['VLLM::Worker_TP3', 'vllm', 'worker', 3],
    ['VLLM::EngineCore_DP1', 'vllm', 'engine_core', null],
    ['sglang::scheduler_TP0', 'sglang', 'scheduler', 0],
    ['sglang::detokenizer', 'sglang', 'detokenizer', null],
    ['/opt/venv/bin/python3 /opt/venv/bin/vllm serve m', 'vllm', 'api_server', null],
    ['python3 -m vllm.entrypoints.openai.api_server --model m', 'vllm', 'api_server', null],
    ['python -m sglang.launch_server', 'sglang', 'api_server', null],
    ['node /usr/lib/kvctl/bin/run.js engine --port 0', 'kvctl', 'engine', null],
  ] as const) {
    it(`of '${command}' is ${role} of ${engine}`, () => {
      expect(engineRoleOf(command)).to.deep.equal({engine, role, rank})
    })
  }

  it('is null for other programs', () => {
    for (const command of [null, '', 'python train.py', 'node run.js serve', 'vllmish'])
      expect(engineRoleOf(command)).to.equal(null)
  })
})
