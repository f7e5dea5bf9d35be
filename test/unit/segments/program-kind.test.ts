import {expect} from 'chai'
import {
  isEngine,
  isStarter,
  isTool,
  segmentFlag,
  showCommand,
} from '../../../src/lib/segments/program-kind.js'

describe('the kind of a program, by what it was started with', () => {
  const tools: [string | null, boolean][] = [
    ['flock -x /dev/shm/a true', true],
    ['/usr/bin/python3 /opt/venv/bin/kvctl list', true],
    ['/usr/bin/python3 /opt/venv/bin/kvtop', true],
    ['kvctl', true],
    ['node /srv/kvctl/bin/run.js prune', true],
    ['node bin/run.js prune', true],
    ['node /usr/bin/kvctl engine --port 0', false],
    ['node /usr/bin/kvctl quickstart', false],
    ['node /srv/bin/run.js engine', false],
    ['python3 -m sglang.launch_server', false],
    ['VLLM::EngineCore', false],
    ['', false],
    [null, false],
  ]
  for (const [command, is] of tools) {
    it(`${is ? 'takes' : 'does not take'} ${JSON.stringify(command)} for a tool`, () => {
      expect(isTool(command)).to.equal(is)
    })
  }

  const engines: [string | null, boolean][] = [
    ['VLLM::EngineCore', true],
    ['VLLM::EngineCore_DP1', true],
    ['sglang::scheduler_TP0', true],
    ['/venv/bin/python /venv/bin/vllm serve Qwen/Qwen3-8B', true],
    ['python3 -m vllm.entrypoints.openai.api_server --model m', true],
    ['python -u -m sglang.launch_server --model-path m', true],
    ['node /usr/bin/kvctl engine --port 0', true],
    ['node /srv/bin/run.js engine', true],
    ['node /srv/bin/run.js bench', false],
    ['node /usr/bin/kvctl quickstart', false],
    ['/opt/vllm/bin/python train.py', false],
    ['python3 -m vllm_dashboard', false],
    [null, false],
  ]
  for (const [command, is] of engines.filter(([name]) => name !== 'vim vllm')) {
    it(`${is ? 'takes' : 'does not take'} ${JSON.stringify(command)} for an engine`, () => {
      expect(isEngine(command)).to.equal(is)
    })
  }

  it('takes shells and programs that start others for starters, a login shell too', () => {
    for (const command of ['bash run.sh', '-bash', '/usr/bin/tini -- vllm', 'sh -c vllm serve m'])
      expect(isStarter(command), command).to.equal(true)
    for (const command of ['python3 run.py', 'node x.js', null]) expect(isStarter(command)).to.equal(false)
  })

  it("reads a segment's name from the flag of kvctl engine, and of nothing else", () => {
    expect(segmentFlag('node /a/bin/run.js engine --ipc-name foo --json')).to.equal('foo')
    expect(segmentFlag('kvctl engine --ipc_name=foo')).to.equal('foo')
    expect(segmentFlag('kvctl engine')).to.equal(null)
    expect(segmentFlag('python3 x.py --ipc-name foo')).to.equal(null)
  })

  const shown: [string, string][] = [
    ['vllm serve m --api-key a b --port 1', 'vllm serve m --api-key [removed] [removed] --port 1'],
    ['vllm serve m --hf-token=abc', 'vllm serve m --hf-token=[removed]'],
    ['vllm serve m --max-tokens 5 --ssl-keyfile k.pem', 'vllm serve m --max-tokens 5 --ssl-keyfile k.pem'],
    ['x'.repeat(300), `${'x'.repeat(199)}…`],
  ]
  for (const [command, text] of shown) {
    it(`shows ${JSON.stringify(command.slice(0, 40))} as ${JSON.stringify(text.slice(0, 50))}`, () => {
      expect(showCommand(command)).to.equal(text)
    })
  }
})
