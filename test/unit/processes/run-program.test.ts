import {open} from 'node:fs/promises'
import {join} from 'node:path'
import {PassThrough} from 'node:stream'
import {expect} from 'chai'
import {runProgram, whoHasOpen, type RunOptions} from '../../../src/lib/processes/index.js'
import {rejection} from '../../support/rejection.js'
import {temporaryFolder} from '../../support/temporary.js'

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

describe('a program that is run to its end', () => {
  const folder = temporaryFolder()
  const options = (more: Partial<RunOptions> = {}): RunOptions => ({
    ...{timeoutMs: 60_000, graceMs: 200, stdout: new PassThrough(), stderr: new PassThrough()},
    signal: new AbortController().signal,
    ...more,
  })
  const gone = async (pid: number): Promise<void> => {
    while (isAlive(pid)) await new Promise(resolve => setTimeout(resolve, 20))
  }

  it('gives its status and what it said, which also goes where it is told to', async () => {
    const [stdout, stderr] = [new PassThrough(), new PassThrough()]
    const script = 'cat; echo out $X; echo err >&2; exit 3'
    const result = await runProgram('/bin/sh', ['-c', script], options({stdout, stderr, env: {X: 'x'}}))
    expect(result).to.include({code: 3, signal: null, isTimedOut: false})
    expect(result.output).to.contain('out x\n').and.contain('err\n')
    expect(String(stdout.read())).to.equal('out x\n')
    expect(String(stderr.read())).to.equal('err\n')
  })

  it('takes its children along: at its end, at the time limit, on abort, also when they ignore SIGTERM', async () => {
    const script = "trap '' TERM; sleep 600 & echo $!; if [ $0 = stay ]; then while :; do wait; done; fi"
    const pidOf = (output: string): number => Number(output.trim())
    const ended = await runProgram('/bin/sh', ['-c', script, 'leave'], options())
    await gone(pidOf(ended.output))
    const late = await runProgram('/bin/sh', ['-c', script, 'stay'], options({timeoutMs: 300}))
    expect(late).to.include({isTimedOut: true, signal: 'SIGKILL'})
    await gone(pidOf(late.output))
    const abort = new AbortController()
    const stdout = new PassThrough()
    const reason = new Error('stop')
    let said = ''
    stdout.on('data', chunk => {
      said += String(chunk)
      abort.abort(reason)
    })
    const aborted = runProgram('/bin/sh', ['-c', script, 'stay'], options({stdout, signal: abort.signal}))
    expect(await rejection(aborted)).to.equal(reason)
    await gone(pidOf(said))
  })

  it('is named among those that have a file open', async () => {
    const path = join(folder(), 'lock')
    const file = await open(path, 'w')
    expect((await whoHasOpen(path)).map(({pid}) => pid)).to.deep.equal([process.pid])
    await file.close()
    expect(await whoHasOpen(path)).to.deep.equal([])
  })
})
