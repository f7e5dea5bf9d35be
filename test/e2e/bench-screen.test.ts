import {join} from 'node:path'
import {expect} from 'chai'
import {endEngine, startEngine} from '../support/engine-process.js'
import {describeWith} from '../support/requires.js'
import {temporaryFolder} from '../support/temporary.js'
import {Tmux} from '../support/tmux.js'
import {until} from '../support/until.js'

describeWith(['tmux', 'ps'], 'kvctl bench on a real terminal', () => {
  const folder = temporaryFolder()
  let tmux: Tmux
  let engine: Awaited<ReturnType<typeof startEngine>>

  beforeEach(async () => {
    engine = await startEngine()
    tmux = new Tmux({columns: 100, rows: 40, env: {CI: 'true'}})
  })
  afterEach(async () => {
    tmux.close()
    await endEngine(engine.child, 'SIGTERM')
  })

  const bench = (...args: string[]): Promise<void> => {
    const run = join(folder(), 'run')
    return tmux.start(
      'bench',
      '--url',
      engine.url,
      '--warmup',
      '0',
      '--ignore-eos',
      '--output-dir',
      run,
      ...args,
    )
  }

  it('shows requests, latencies, server and segment while it lasts, and the summary alone at the end', async () => {
    await bench('--requests', '60', '--concurrency', '4', '--max-tokens', '60')
    await tmux.shows(/\d+\/60 · \d in flight/)
    await tmux.shows(/^TTFT +p50 \d+ ms +p95/m)
    await tmux.shows(/^server +\d running, \d waiting/m)
    await tmux.shows(new RegExp(`^segment .*${engine.segment}`, 'm'))
    expect(tmux.state).to.deep.include({isAlternate: false})
    await tmux.shows(/^Run run: 60 of 60 requests succeeded/m)
    await tmux.shows(/prompt>$/)
    expect(tmux.screen).not.to.match(/in flight/)
    expect(tmux.screen).to.match(/^Sending 60 requests, 4 at a time/m)
    expect(tmux.state).to.deep.equal({isAlternate: false, hasCursor: true, hasMouse: false})
  })

  it('leaves the terminal as it was at Ctrl-C', async () => {
    await bench('--requests', '5000', '--concurrency', '4', '--max-tokens', '200')
    await tmux.shows(/\d+\/5000 · \d in flight/)
    tmux.press('C-c')
    await tmux.shows(/Stopped/)
    await until(
      () => /prompt>$/.test(tmux.screen),
      () => tmux.screen,
    )
    expect(tmux.screen).not.to.contain('in flight')
    tmux.type('echo $((40 + 2))')
    tmux.press('Enter')
    await tmux.shows(/^42$/m)
    expect(tmux.state.hasCursor).to.equal(true)
  })

  it('tells plain lines with --plain', async () => {
    await bench('--requests', '20', '--concurrency', '4', '--max-tokens', '20', '--plain')
    await tmux.shows(/^Run run: 20 of 20 requests succeeded/m)
    await tmux.shows(/prompt>$/)
    expect(tmux.screen).not.to.contain('server     ')
  })
})
