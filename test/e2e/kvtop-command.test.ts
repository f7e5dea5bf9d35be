import type {ChildProcess} from 'node:child_process'
import {once} from 'node:events'
import {existsSync, mkdirSync, readFileSync, rmSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {createInterface} from 'node:readline'
import {expect} from 'chai'
import {runCli, startCli} from '../support/cli.js'
import {endEngine, startEngine} from '../support/engine-process.js'
import {describeWith} from '../support/requires.js'
import {GIB, recordBytes} from '../support/segments.js'
import {temporaryFolder} from '../support/temporary.js'
import {Tmux, type TmuxOptions} from '../support/tmux.js'
import {until} from '../support/until.js'

describeWith(['tmux', 'ps'], 'kvtop on a real terminal', () => {
  const folder = temporaryFolder()
  const terminals: Tmux[] = []
  let env: Record<string, string>

  const put = (name: string, limitBytes: bigint, usedBytes: bigint, preallocBytes = 0n): void =>
    writeFileSync(join(env['KVCTL_SHM_DIR']!, name), recordBytes(limitBytes, usedBytes, preallocBytes))
  const terminal = (options: TmuxOptions = {}): Tmux => {
    const tmux = new Tmux({...options, env: {...env, ...options.env}})
    terminals.push(tmux)
    return tmux
  }
  /** The program has left, and the terminal is as a shell needs it: the typed line shows, and the lines before are back. */
  const expectRestored = async (tmux: Tmux): Promise<void> => {
    await until(
      () => !tmux.state.isAlternate,
      () => tmux.screen,
    )
    await tmux.shows(/prompt>$/)
    tmux.type('echo $((40 + 2))')
    tmux.press('Enter')
    await tmux.shows(/^42$/m)
    expect(tmux.screen).to.contain('echo $((40 + 2))').and.contain('prompt> ')
    expect(tmux.state).to.deep.equal({isAlternate: false, hasCursor: true, hasMouse: false})
  }

  beforeEach(() => {
    env = {KVCTL_SHM_DIR: join(folder(), 'shm'), KVCTL_STATE_DIR: join(folder(), 'state'), CI: 'true'}
    mkdirSync(env['KVCTL_SHM_DIR']!)
    put('vllm-0', 40n * GIB, 11n * GIB, GIB)
    put('sglang-0', 40n * GIB, 35n * GIB)
  })
  afterEach(() => {
    for (const tmux of terminals.splice(0)) tmux.close()
  })

  for (const [columns, rows] of [
    [40, 10],
    [80, 24],
    [300, 80],
  ] as const) {
    it(`shows what the segments say at ${columns}x${rows}, also when they change or go, and quits on q`, async () => {
      const tmux = terminal({columns, rows})
      await tmux.start('kvtop', '--refresh', '0.1')
      await tmux.shows(/vllm-0 .*30\.0%/)
      await tmux.shows(/sglang-0 .*87\.5%/)
      expect(tmux.screen).to.contain('KVCache Memory Usage').and.contain('q quit')
      expect(tmux.state).to.deep.equal({isAlternate: true, hasCursor: false, hasMouse: true})
      put('vllm-0', 40n * GIB, 20n * GIB)
      await tmux.shows(/vllm-0 .*50\.0%/)
      rmSync(join(env['KVCTL_SHM_DIR']!, 'sglang-0'))
      await until(
        () => !tmux.screen.includes('sglang-0'),
        () => tmux.screen,
      )
      tmux.press('q')
      await expectRestored(tmux)
    })
  }

  it('follows the size of its window', async () => {
    const tmux = terminal()
    await tmux.start('kvtop')
    await tmux.shows('[1 All]')
    tmux.resize(40, 10)
    await tmux.shows('[1 Overview] 2  3 ')
    expect(tmux.screen.split('\n').length).to.be.at.most(10)
    tmux.resize(120, 40)
    await tmux.shows(/Free State/)
    await until(
      () => tmux.screen.split('\n').length === 40,
      () => tmux.screen,
    )
  })

  it('changes a limit when that is confirmed, takes it back, and deletes what no engine uses', async () => {
    const tmux = terminal()
    const limitOf = (name: string): bigint =>
      readFileSync(join(env['KVCTL_SHM_DIR']!, name)).readBigInt64LE(0)
    await tmux.start('kvtop', '--refresh', '0.1')
    await tmux.shows(/▸sglang-0/)
    tmux.press('j', 'l')
    await tmux.shows('New limit:')
    tmux.type('99G')
    tmux.press('Enter')
    await tmux.shows('above the start-up total')
    tmux.press('C-u')
    tmux.type('16G')
    tmux.press('Enter')
    await tmux.shows('Set the limit of vllm-0 from 40.00 GB to 16.00 GB?')
    expect(limitOf('vllm-0')).to.equal(40n * GIB)
    tmux.press('y')
    await tmux.shows('Limit of vllm-0 is 16.00 GB, applied.')
    await tmux.shows(/▸vllm-0 .*75\.0%/)
    expect(limitOf('vllm-0')).to.equal(16n * GIB)
    tmux.press('u')
    await tmux.shows('Take back')
    tmux.press('y')
    await tmux.shows(/▸vllm-0 .*30\.0%/)
    expect(limitOf('vllm-0')).to.equal(40n * GIB + 4096n)
    tmux.press('d')
    await tmux.shows('Delete segment vllm-0')
    tmux.press('y')
    await tmux.shows('Deleted vllm-0.')
    expect(existsSync(join(env['KVCTL_SHM_DIR']!, 'vllm-0'))).to.equal(false)
    expect(limitOf('sglang-0')).to.equal(40n * GIB)
  })

  const ENDINGS: readonly (readonly [string, (tmux: Tmux) => void])[] = [
    ['Ctrl-C', tmux => tmux.press('C-c')],
    ['SIGTERM', tmux => process.kill(tmux.programPid, 'SIGTERM')],
    ['a crash', tmux => process.kill(tmux.programPid, 'SIGUSR2')],
  ]
  for (const [ending, end] of ENDINGS) {
    it(`gives the terminal back after ${ending}`, async () => {
      const crashes = join(folder(), 'crash.mjs')
      writeFileSync(crashes, "process.on('SIGUSR2', () => { throw new Error('crash') })")
      const tmux = terminal({env: {NODE_OPTIONS: `--import=${crashes}`}})
      await tmux.start('kvtop', '--refresh', '0.1')
      await tmux.shows('vllm-0')
      end(tmux)
      await expectRestored(tmux)
      expect(tmux.screen).to.contain('kvtop --refresh 0.1')
    })
  }

  it('draws in ASCII where the locale has nothing else', async () => {
    const tmux = terminal({env: {LC_ALL: 'C'}})
    await tmux.start('kvtop')
    await tmux.shows(/>sglang-0 +\[#+-\]/)
  })
})

describeWith(['tmux', 'ps'], 'kvtop beside a real engine on a real terminal', () => {
  const folder = temporaryFolder()

  it('shows what it does, puts it to sleep when that is confirmed, and takes that back', async () => {
    const engine = await startEngine('--ipc-name', `kvtop-e2e-${process.pid}`)
    const tmux = new Tmux({columns: 120, rows: 30, env: {KVCTL_STATE_DIR: join(folder(), 'state')}})
    try {
      await tmux.start('kvtop', '--refresh', '0.2', '--engine-url', engine.url)
      await tmux.shows(/4 Engines 1/)
      tmux.press('4', 'Enter')
      await tmux.shows(`URL            ${engine.url}`)
      expect(tmux.screen)
        .to.match(/State +ok/)
        .and.contain(`kvtop-e2e-${process.pid}`)
      const answer = await fetch(`${engine.url}/v1/completions`, {
        method: 'POST',
        headers: {'content-type': 'application/json'},
        body: JSON.stringify({model: 'meta-llama/Llama-3.1-8B-Instruct', prompt: 'hello', max_tokens: 50}),
      })
      expect(answer.status).to.equal(200)
      await tmux.shows(/Output +[1-9][\d.]* tokens\/s/)
      await tmux.shows(/TTFT +[\d.]+ m?s, mean/)
      await tmux.shows('0 running, 0 waiting')
      tmux.press('s')
      await tmux.shows(/Put meta-llama\S+ at \S+ to sleep/)
      expect(await isSleeping(engine.url)).to.equal(false)
      tmux.press('y')
      await tmux.shows(/State +asleep/)
      expect(await isSleeping(engine.url)).to.equal(true)
      tmux.press('u')
      await tmux.shows(/Take back: Wake/)
      tmux.press('y')
      await tmux.shows(/State +ok/)
      expect(await isSleeping(engine.url)).to.equal(false)
    } finally {
      tmux.close()
      await endEngine(engine.child, 'SIGTERM')
    }
  })
})

async function isSleeping(url: string): Promise<boolean> {
  const document = (await (await fetch(`${url}/is_sleeping`)).json()) as {is_sleeping: boolean}
  return document.is_sleeping
}

describeWith(['tmux', 'ps'], 'kvtop of other machines on a real terminal', () => {
  const folder = temporaryFolder()
  const machines: {folder: string; url: string; child: ChildProcess}[] = []
  let tmux: Tmux

  const serve = async (name: string, usedBytes: bigint): Promise<(typeof machines)[number]> => {
    const shm = join(folder(), name)
    mkdirSync(shm)
    writeFileSync(join(shm, `segment-of-${name}`), recordBytes(8n * GIB, usedBytes))
    const env = {KVCTL_SHM_DIR: shm, KVCTL_STATE_DIR: join(folder(), `${name}-state`), KVCTL_TOKEN: ''}
    const child = startCli(['serve', '--port', '0', '--json'], {env})
    const [line] = (await once(createInterface(child.stdout!), 'line')) as [string]
    const machine = {folder: shm, url: (JSON.parse(line) as {url: string}).url, child}
    machines.push(machine)
    return machine
  }
  afterEach(async () => {
    tmux.close()
    for (const {child} of machines.splice(0)) {
      if (child.exitCode === null && child.signalCode === null) {
        child.kill('SIGKILL')
        await once(child, 'close')
      }
    }
  })

  it('shows two side by side, and the one that dies as it was, with its age', async () => {
    const [alive, dying] = [await serve('alive', 2n * GIB), await serve('dying', 4n * GIB)]
    tmux = new Tmux({columns: 140, rows: 30, env: {KVCTL_STATE_DIR: join(folder(), 'own-state')}})
    await tmux.start('kvtop', '--refresh', '0.2', '--url', alive.url, '--url', dying.url)
    await tmux.shows(/segment-of-alive .*25\.0%[^]*segment-of-dying .*50\.0%/)
    expect(tmux.screen).to.not.contain(' old: ')
    dying.child.kill('SIGKILL')
    await once(dying.child, 'close')
    const ageOf = (): number => {
      const [, seconds] = /:\d+ is (\d+)(?:\.\d)? m?s old: .*cannot be reached/.exec(tmux.screen) ?? []
      return Number(seconds ?? -1)
    }
    await tmux.shows(`${dying.url} is `)
    expect(tmux.screen).to.not.contain(`${alive.url} is `)
    writeFileSync(join(alive.folder, 'segment-of-alive'), recordBytes(8n * GIB, 6n * GIB))
    await tmux.shows(/segment-of-alive .*75\.0%[^]*segment-of-dying .*50\.0%/)
    await tmux.shows(/ is 1\.\d s old/)
    await until(
      () => ageOf() >= 2,
      () => tmux.screen,
    )
  })
})

describeWith(['tmux', 'ps'], 'watch on a real terminal', () => {
  const folder = temporaryFolder()

  for (const [ending, end] of [
    ['Ctrl-C', (tmux: Tmux) => tmux.press('C-c')],
    ['SIGTERM', (tmux: Tmux) => process.kill(tmux.programPid, 'SIGTERM')],
  ] as const) {
    it(`redraws in place, follows the size, counts what does not fit, and gives the cursor back after ${ending}`, async () => {
      const put = (at: number, usedBytes: bigint): void =>
        writeFileSync(join(folder(), `segment-${at}`), recordBytes(GIB, usedBytes))
      for (let at = 0; at < 8; at++) put(at, 0n)
      const tmux = new Tmux({
        rows: 20,
        env: {KVCTL_SHM_DIR: folder(), KVCTL_STATE_DIR: join(folder(), 'state')},
      })
      try {
        await tmux.start('watch -n 0.1')
        await tmux.shows(/^IPC [^]*\nsegment-7 [^\n]*$/)
        expect(tmux.state).to.include({isAlternate: false, hasCursor: false})
        put(3, GIB / 2n)
        await tmux.shows(/^segment-3 .* 50\.0 %/m)
        tmux.resize(80, 6)
        await tmux.shows(/^IPC [^]*\nsegment-2 [^\n]*\n\+5 more$/)
        end(tmux)
        await tmux.shows(/prompt>$/)
        expect(tmux.state).to.include({hasCursor: true})
      } finally {
        tmux.close()
      }
    })
  }
})

describe('kvtop without a terminal', () => {
  const folder = temporaryFolder()
  let env: NodeJS.ProcessEnv

  beforeEach(() => {
    env = {KVCTL_SHM_DIR: folder(), KVCTL_STATE_DIR: join(folder(), 'state'), LC_ALL: 'C'}
    writeFileSync(join(folder(), 'vllm-0'), recordBytes(40n * GIB, 11n * GIB, GIB))
  })

  it('says what to use instead, with 2', async () => {
    const {code, stdout, stderr} = await runCli(['kvtop'], {env})
    expect([code, stdout]).to.deep.equal([2, ''])
    expect(stderr).to.equal(
      'Error: kvtop draws on a terminal, and stdout is none\n  Try: kvctl kvtop --once\n  Try: kvctl kvtop --json\n',
    )
  })

  it('prints one look with --once, all of it', async () => {
    for (let at = 0; at < 60; at++) {
      writeFileSync(join(folder(), `segment-${at}`), recordBytes(GIB, BigInt(at) * (GIB / 100n)))
    }
    const {code, stdout, stderr} = await runCli(['kvtop', '--once'], {env})
    expect([code, stderr]).to.deep.equal([0, ''])
    const lines = stdout.split('\n')
    expect(lines.filter(text => /^[ >]segment-\d+ /.test(text))).to.have.length(60)
    expect(stdout).to.match(/^[ >]vllm-0 +\[#+=+-+\] +30\.0% 11\.0 GB +1\.00 GB 40\.0 GB 28\.0 GB/m)
    expect(stdout).to.contain('GPU memory info unavailable: ')
    expect(stdout).to.not.contain('\u001B')
  })

  it('records looks and gives the same ones again', async () => {
    const file = join(folder(), 'looks.jsonl')
    const recorded = await runCli(['kvtop', '--json', '--count', '3', '-r', '0.1', '--record', file], {env})
    expect(recorded).to.include({code: 0, stderr: ''})
    expect(readFileSync(file, 'utf8')).to.equal(recorded.stdout)
    const replayed = await runCli(['kvtop', '--replay', file, '--json'], {
      env: {...env, KVCTL_SHM_DIR: '/none'},
    })
    expect(replayed).to.include({code: 0, stderr: '', stdout: recorded.stdout})
    const again = await runCli(['kvtop', '--once', '--record', file], {env})
    expect([again.code, again.stderr]).to.deep.equal([
      2,
      `Error: cannot record into ${file}: it exists already\n`,
    ])
  })

  it('shows a server that does not answer, and why', async () => {
    const {code, stdout} = await runCli(['kvtop', '--once', '--url', 'http://127.0.0.1:1/'], {env})
    expect(code).to.equal(0)
    expect(stdout).to.match(/^http:\/\/127\.0\.0\.1:1 has not answered: cannot be reached: /m)
  })

  it('prints one look a line with --json, until it has enough or a missing segment is there', async () => {
    const {code, stdout, stderr} = await runCli(
      ['kvtop', '--json', '--count', '3', '--refresh', '0.1', 'vllm-0', 'none-such'],
      {env},
    )
    expect([code, stderr]).to.deep.equal([0, ''])
    const looks = stdout
      .trimEnd()
      .split('\n')
      .map(text => JSON.parse(text) as Record<string, unknown>)
    expect(looks).to.have.length(3)
    const [host] = looks[2]!['hosts'] as {segments: Record<string, unknown>[]; devices_missing: string}[]
    expect(host!.segments).to.have.length(2)
    expect(host!.segments[0]).to.include({
      ...{name: 'vllm-0', limit_bytes: 40 * 2 ** 30, used_bytes: 11 * 2 ** 30, prealloc_bytes: 2 ** 30},
    })
    expect(host!.segments[1]).to.include({name: 'none-such', limit_bytes: null, state: 'missing'})
    expect(host!.devices_missing).to.contain('NVIDIA')
    expect(looks[0]).to.include({schema_version: 1}).and.have.property('time').match(/Z$/)
  })
})
