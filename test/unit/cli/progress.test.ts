import {mkdirSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {expect} from 'chai'
import {createReadingLine, readingText} from '../../../src/cli/reading-line.js'
import {countingText, waitingText, whileCounting, whileWaiting} from '../../../src/cli/waiting-line.js'
import {openRunDirectory, readRequests} from '../../../src/lib/runs/index.js'
import {rejection} from '../../support/rejection.js'
import {temporaryFolder} from '../../support/temporary.js'
import {FakeTerminal} from '../../support/terminal.js'
import {until} from '../../support/until.js'

const stderr = (): {terminal: FakeTerminal; stream: NodeJS.WriteStream} => {
  const terminal = Object.assign(new FakeTerminal(80, 24), {isTTY: true})
  return {terminal, stream: terminal as unknown as NodeJS.WriteStream}
}

describe('what is said while something is waited for', () => {
  it('is how long it has taken, and how long it may still take', () => {
    expect(waitingText('Examining', 1500, 5000)).to.equal('Examining: 1.5 s, at most 3.5 s left')
    expect(waitingText('Examining', 6000, 5000)).to.equal('Examining: 6.0 s, at most 0 ms left')
  })

  it('comes after a second and leaves nothing behind, whatever becomes of the work', async () => {
    const {terminal, stream} = stderr()
    let end: (error: Error) => void = () => undefined
    const work = whileWaiting(
      'Waiting for the lock',
      10_000,
      new Promise((_, reject) => (end = reject)),
      stream,
    )
    await until(
      () => /Waiting for the lock: 1\.\d s, at most [89]\.\d s left/.test(terminal.written),
      () => terminal.written,
    )
    end(new Error('held'))
    expect(await rejection(work)).to.have.property('message', 'held')
    expect(terminal.written.endsWith('\r\u001B[K')).to.equal(true)
  })

  it('stays below what the work says meanwhile', async () => {
    const {terminal, stream} = stderr()
    let end: (value: number) => void = () => undefined
    const work = whileWaiting(
      'Deploying demo',
      10_000,
      async note => {
        await until(
          () => terminal.written.includes('Deploying demo'),
          () => terminal.written,
        )
        note('the pod is scheduled')
        return new Promise<number>(resolve => (end = resolve))
      },
      stream,
    )
    await until(
      () => /\r\u001B\[Kthe pod is scheduled\n.*Deploying demo: /s.test(terminal.written),
      () => terminal.written,
    )
    end(7)
    expect(await work).to.equal(7)
  })

  it('is for steps how many are done, how fast, and how long the others will take', async () => {
    expect(countingText('requests answered', 3, 14, 2000)).to.equal(
      '3 of 14 requests answered, 1.5/s, 7.3 s left',
    )
    expect(countingText('requests answered', 0, 14, 2000)).to.equal('0 of 14 requests answered, 2.0 s')
    const {terminal, stream} = stderr()
    await whileCounting(
      'steps done',
      4,
      async done => {
        done()
        await until(
          () => /1 of 4 steps done, 0\.\d+\/s, [\d.]+ s left/.test(terminal.written),
          () => terminal.written,
        )
      },
      stream,
    )
    expect(terminal.written.endsWith('\r\u001B[K')).to.equal(true)
  })

  it('is nothing for work that is soon over', async () => {
    const {terminal, stream} = stderr()
    expect(await whileWaiting('Waiting', 1000, Promise.resolve(5), stream)).to.equal(5)
    expect(terminal.written).to.equal('')
  })
})

describe('what is said while runs are read', () => {
  const folder = temporaryFolder()

  it('is how much of them, how fast, and how long the rest will take', () => {
    expect(readingText(1 << 20, 4 << 20, 2000)).to.equal(
      '25 % of 4.00 MB of records read, 512.00 KB/s, 6.0 s left',
    )
    expect(readingText(0, 10, 1000)).to.equal('0 % of 10.00 B of records read, 0.00 B/s')
    expect(readingText(20, 10, 1000)).to.match(/^100 % of 20\.00 B .* 0 ms left$/)
  })

  it('comes after a second, from the bytes that were really read', async () => {
    const {terminal, stream} = stderr()
    const path = join(folder(), 'run')
    mkdirSync(path)
    writeFileSync(join(path, 'requests.csv'), 'start_ms,latency_ms,status\n1,2,200\n')
    const reading = createReadingLine(stream)
    const run = await reading.watch(await openRunDirectory(path))
    await readRequests(run, null)
    expect(terminal.written).to.equal('')
    await until(
      async () => {
        await readRequests(run, null)
        return terminal.written.includes('100 % of ')
      },
      () => terminal.written,
    )
    reading.end()
    expect(terminal.written).to.match(/100 % of [\d.]+ K?B of records read, [\d.]+ \w+\/s, 0 ms left/)
  })
})
