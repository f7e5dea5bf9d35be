import {spawn} from 'node:child_process'
import {once} from 'node:events'
import {mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {expect} from 'chai'
import {isRunning, thisProcess} from '../../../src/lib/segments/creator.js'
import {commandLine, readProcessTable, startTicks} from '../../../src/lib/segments/process-table.js'
import {parseGroupId} from '../../../src/lib/segments/segment-name.js'
import {temporaryFolder} from '../../support/temporary.js'

describe('the process table', () => {
  const proc = temporaryFolder()
  const put = (pid: number, files: Record<string, string>): void => {
    mkdirSync(join(proc(), String(pid)))
    for (const [name, text] of Object.entries(files)) writeFileSync(join(proc(), String(pid), name), text)
  }
  const status = (lines: Record<string, string>): string =>
    Object.entries({Name: 'python3', State: 'S (sleeping)', PPid: '1', NSpgid: '7', VmSize: '9 kB', ...lines})
      .map(([name, value]) => `${name}:\t${value}\n`)
      .join('')

  it('reads title, parent, groups in nested namespaces, and the name an engine would use', () => {
    put(7, {
      status: status({Name: 'VLLM::EngineCor', PPid: '3', NSpgid: '7\t1'}),
      environ: 'PATH=/bin\0KVCACHED_IPC_NAME=my model/é:1\0HOME=/\0',
    })
    put(8, {status: status({}), environ: 'KVCACHED_IPC_NAME=first'})
    put(9, {status: status({}), environ: 'XKVCACHED_IPC_NAME=no\0KVCACHED_IPC_NAME=\0'})
    put(10, {status: status({State: 'Z (zombie)'}), environ: ''})
    put(11, {status: status({})})
    const ofKernel = status({Name: 'kworker/0:0'}).replace(/^VmSize.*\n/m, '')
    put(12, {status: ofKernel, environ: 'KVCACHED_IPC_NAME=never-asked'})
    const processes = [...readProcessTable(proc()).processes].sort((a, b) => a.pid - b.pid)
    expect(processes.map(({pid, segmentName}) => [pid, segmentName])).to.deep.equal([
      [7, 'my-model-é-1'],
      [8, 'first'],
      [9, null],
      [11, null],
      [12, null],
    ])
    expect(processes[0]).to.deep.include({title: 'VLLM::EngineCor', parentPid: 3, groupIds: [7, 1]})
  })

  it("knows the machine's own PID namespace, unless processes are hidden in it", () => {
    mkdirSync(join(proc(), 'self/ns'), {recursive: true})
    symlinkSync('pid:[4026531836]', join(proc(), 'self/ns/pid'))
    expect(readProcessTable(proc()).isWholeMachine).to.equal(false)
    put(1, {stat: '1 (init) S 0 1 1'})
    expect(readProcessTable(proc()).isWholeMachine).to.equal(true)
  })

  it('has each command line once for all who ask', () => {
    put(7, {cmdline: 'python3\0-m\0vllm\0'})
    const table = readProcessTable(proc())
    expect(table.commandOf(7)).to.equal('python3 -m vllm')
    writeFileSync(join(proc(), '7/cmdline'), 'another\0')
    expect(table.commandOf(7)).to.equal('python3 -m vllm')
    expect(readProcessTable(proc()).commandOf(7)).to.equal('another')
    expect(table.commandOf(8)).to.equal(null)
  })

  it('takes from an earlier table those that still live, as they were', () => {
    put(7, {status: status({Name: 'vllm'}), cmdline: 'vllm\0'})
    put(8, {status: status({Name: 'sglang'})})
    const before = readProcessTable(proc())
    rmSync(join(proc(), '8'), {recursive: true})
    put(9, {status: status({Name: 'node'}), cmdline: 'node\0'})
    writeFileSync(join(proc(), '7/status'), status({Name: 'another'}))
    const after = readProcessTable(proc(), before)
    const titles = after.processes.map(({pid, title}) => [pid, title])
    expect(titles.sort()).to.deep.equal([
      [7, 'vllm'],
      [9, 'node'],
    ])
    expect([7, 8, 9].map(after.commandOf)).to.deep.equal(['vllm', null, 'node'])
  })

  it('is empty where there is no /proc', () => {
    expect(readProcessTable(join(proc(), 'none'))).to.deep.include({processes: [], isWholeMachine: false})
  })

  it('reads when a process started, past a name with spaces and parentheses, and never that of a zombie', () => {
    const fields = Array.from({length: 50}, (_, index) => index + 4).join(' ')
    put(5, {stat: `5 (a ) b) S ${fields}`})
    put(6, {stat: `6 (c) Z ${fields}`})
    expect(startTicks(5, proc())).to.equal(22) // proc(5): field 22
    expect(startTicks(6, proc())).to.equal(null)
    expect(startTicks(4, proc())).to.equal(null)
  })

  it('finds a real child with its group, environment and command, and misses it once it is dead', async () => {
    const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1e6)'], {
      env: {...process.env, KVCACHED_IPC_NAME: 'a child'},
      stdio: 'ignore',
    })
    await once(child, 'spawn')
    const pid = child.pid!
    while (!commandLine(pid)?.includes('setInterval')) await new Promise(resolve => setTimeout(resolve, 5))
    const find = (): unknown => readProcessTable().processes.find(facts => facts.pid === pid)
    expect(find()).to.deep.include({
      pid,
      parentPid: process.pid,
      segmentName: 'a-child',
      groupIds: [parseGroupId(readFileSync('/proc/self/stat', 'utf8'))],
    })
    const creator = {...thisProcess()!, pid, startTicks: startTicks(pid)!}
    expect(isRunning(creator)).to.equal(true)
    expect(isRunning({...creator, startTicks: creator.startTicks - 1}), 'a reused pid').to.equal(false)
    expect(isRunning({...creator, pidNamespace: 'pid:[1]'}), 'another container').to.equal(null)
    child.kill('SIGKILL')
    await once(child, 'close')
    expect(find()).to.equal(undefined)
    expect(isRunning(creator)).to.equal(false)
  })
})
