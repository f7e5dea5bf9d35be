import {expect} from 'chai'
import {groupInName, isTool, judge, type Sightings, type Verdict} from '../../../src/lib/segments/liveness.js'

const seen = (sightings: Partial<Sightings>): Sightings => ({
  queued: [],
  holderPid: null,
  wasRead: false,
  isGroupAlive: null,
  ...sightings,
})
const engine = {pid: 42, command: 'python3 -m vllm.entrypoints.openai.api_server'}
const tool = {pid: 43, command: 'python3 /usr/local/bin/kvctl watch'}

describe('the verdict on an engine', () => {
  const verdicts: [string, Partial<Sightings>, Verdict, number | null][] = [
    ['an engine queues for the lock', {queued: [tool, engine]}, 'live', 42],
    ['a process that hides its command line queues', {queued: [{pid: 44, command: null}]}, 'live', 44],
    ['somebody never lets go of the lock', {holderPid: 45, wasRead: null}, 'live', 45],
    ['the file is being read by somebody unseen', {wasRead: true}, 'live', null],
    ['only tools read it', {queued: [tool], wasRead: true}, 'idle', null],
    ['nothing reads it, but its process group exists', {isGroupAlive: true}, 'idle', null],
    ['its access time cannot be watched', {wasRead: null}, 'idle', null],
    ['nothing reads it and its process group is gone', {isGroupAlive: false}, 'stale', null],
    ['nothing reads it and its name says nothing', {}, 'stale', null],
  ]
  for (const [when, sightings, verdict, pid] of verdicts) {
    it(`is ${verdict} when ${when}`, () => {
      expect(judge(seen(sightings))).to.include({verdict, pid})
    })
  }

  const commands: [string | null, boolean][] = [
    ['flock -x /dev/shm/a true', true],
    ['/usr/bin/python3 /opt/venv/bin/kvctl list', true],
    ['/usr/bin/python3 /opt/venv/bin/kvtop', true],
    ['kvctl', true],
    ['node /usr/bin/kvctl engine --port 0', false],
    ['node /usr/bin/kvctl quickstart', false],
    ['node /srv/bin/run.js engine', false],
    ['python3 -m sglang.launch_server', false],
    ['VLLM::EngineCore', false],
    ['', false],
    [null, false],
  ]
  for (const [command, is] of commands) {
    it(`${is ? 'takes' : 'does not take'} ${JSON.stringify(command)} for a tool`, () => {
      expect(isTool(command)).to.equal(is)
    })
  }

  const names: [string, number | null][] = [
    ['kvcached_vLLM_12345', 12_345],
    ['kvcached_SGLang_12345_7', 12_345],
    ['kvcached_engine_12345_g2', 12_345],
    ['kvcached_kvctl_9', 9],
    ['kvcached_mem_info', null],
    ['llama_8', null],
    ['kvcached_x_0', null],
  ]
  for (const [name, group] of names) {
    it(`finds ${group ?? 'no'} process group in ${name}`, () => {
      expect(groupInName(name)).to.equal(group)
    })
  }
})
