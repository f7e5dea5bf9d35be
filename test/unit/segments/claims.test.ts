import {expect} from 'chai'
import {claimsOn} from '../../../src/lib/segments/claims.js'
import type {ProcessFacts} from '../../../src/lib/segments/process-table.js'
import {warningsOn} from '../../../src/lib/segments/warnings.js'

interface Program extends Partial<ProcessFacts> {
  readonly pid: number
  readonly command: string | null
}

const OWN_PID = 999
const claim = (name: string, ...programs: Program[]): [number, string][] => {
  const facts = programs.map(program => ({
    parentPid: 1,
    groupIds: [program.pid],
    title: (program.command ?? '').split(' ')[0]!.slice(0, 15),
    segmentName: null,
    ...program,
  }))
  const commandOf = (pid: number): string | null => programs.find(program => program.pid === pid)!.command
  return claimsOn(name, facts, commandOf, OWN_PID).map(({pid, via}) => [pid, via])
}
const vllm = {command: 'python3 /bin/vllm serve m', title: 'vllm'}
const core = {command: 'VLLM::EngineCore', title: 'VLLM::EngineCor'}

describe('who would use a segment of a name', () => {
  it('is who was told the name', () => {
    expect(
      claim('a', {...vllm, pid: 5, segmentName: 'a'}, {...vllm, pid: 6, segmentName: 'b'}, {...vllm, pid: 7}),
    ).to.deep.equal([[5, 'name']])
  })

  it("is an engine's core before its front end, and a program of no known kind last", () => {
    const other = {command: 'python3 x.py', segmentName: 'a'}
    expect(
      claim(
        'a',
        {...other, pid: 4},
        {...vllm, pid: 5, segmentName: 'a'},
        {...core, pid: 6, segmentName: 'a'},
      ),
    ).to.deep.equal([
      [6, 'name'],
      [5, 'name'],
      [4, 'name'],
    ])
  })

  it("asks the parents of a core, since a title overwrites a process's environment", () => {
    const front = {...vllm, pid: 5, segmentName: 'a'}
    const between = {pid: 6, parentPid: 5, command: 'sh'}
    expect(claim('a', front, between, {...core, pid: 7, parentPid: 6})).to.deep.equal([
      [7, 'name'],
      [5, 'name'],
    ])
    expect(claim('a', front, {pid: 7, parentPid: 5, command: 'python3 y.py'})).to.deep.equal([[5, 'name']])
  })

  it('is who is in the process group of a default name, in whatever PID namespace, unless told another name', () => {
    const name = 'kvcached_vLLM_12'
    expect(claim(name, {...vllm, pid: 12}, {...core, pid: 40, groupIds: [30, 12]})).to.deep.equal([
      [40, 'group'],
      [12, 'group'],
    ])
    expect(claim(name, {...vllm, pid: 12, segmentName: 'b'})).to.deep.equal([])
    expect(claim('vLLM_12', {...vllm, pid: 12})).to.deep.equal([])
  })

  it('is kvctl engine by its flag, which goes before its environment and its group', () => {
    const command = 'node /x/bin/run.js engine --ipc-name my/a'
    const ours = {pid: 12, title: 'node', command, segmentName: 'b'}
    expect(claim('my-a', ours)).to.deep.equal([[12, 'name']])
    expect(claim('b', ours)).to.deep.equal([])
    expect(claim('kvcached_kvctl_12', ours)).to.deep.equal([])
  })

  it('is no tool, no shell and not kvctl itself', () => {
    const told = {segmentName: 'a'}
    expect(
      claim(
        'a',
        {...told, pid: OWN_PID, command: 'python3 x.py'},
        {...told, pid: 5, command: 'bash run.sh'},
        {...told, pid: 6, command: 'node /usr/bin/kvctl watch a'},
        {...told, pid: 7, command: null},
      ),
    ).to.deep.equal([[7, 'name']])
  })
})

describe('warnings about a segment', () => {
  const cores = (command: string): Parameters<typeof warningsOn>[1] =>
    [5, 6].map(pid => ({pid, command, via: 'group', isEngine: true, isCore: true}))
  const codes = (...args: Parameters<typeof warningsOn>): string[] =>
    warningsOn(...args).map(({code}) => code)

  it('tells two vLLM engines in one segment, but not the ranks of SGLang, which share by design', () => {
    expect(codes(true, cores('VLLM::EngineCore_DP0'))).to.deep.equal(['SEGMENT_SHARED'])
    expect(codes(true, cores('VLLM::EngineCore').slice(1))).to.deep.equal([])
    expect(codes(true, cores('sglang::scheduler_TP0'))).to.deep.equal([])
  })

  it('tells a limit that neither the engine started with nor kvctl wrote', () => {
    expect(codes(false, [])).to.deep.equal(['LIMIT_CHANGED_ELSEWHERE'])
  })
})
