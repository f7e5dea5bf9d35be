import {expect} from 'chai'
import {startProgram} from '../../../src/lib/processes/index.js'

const signal = new AbortController().signal
const node = (script: string): ReturnType<typeof startProgram> =>
  startProgram(process.execPath, ['-e', script])
const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

describe('startProgram', () => {
  it('gives the first line, and ends the program when asked', async () => {
    const program = node("console.log('ready'); setInterval(() => {}, 1000)")
    expect(await program.firstLine(10_000, signal)).to.equal('ready')
    await program.stop()
    expect(await program.ended).to.include({signal: 'SIGTERM'})
    expect(isAlive(program.pid)).to.equal(false)
  })

  it('kills a program that does not heed SIGTERM', async () => {
    const program = node("process.on('SIGTERM', () => {}); console.log('ready'); setInterval(() => {}, 1000)")
    await program.firstLine(10_000, signal)
    await program.stop(50)
    expect(await program.ended).to.include({signal: 'SIGKILL'})
  })

  it('says how a program ended that never was ready', async () => {
    const program = node("console.error('no memory left'); process.exit(7)")
    const error: unknown = await program.firstLine(10_000, signal).catch((reason: unknown) => reason)
    expect(error).to.include({code: 'PROGRAM_ENDED', exitCode: 4})
    expect((error as Error).message)
      .to.contain('status 7')
      .and.to.contain('no memory left')
  })

  it('does not wait for ever', async () => {
    const program = node('setInterval(() => {}, 1000)')
    const error: unknown = await program.firstLine(50, signal).catch((reason: unknown) => reason)
    expect(error).to.include({code: 'PROGRAM_SILENT'})
    await program.stop()
  })
})
