import {execFileSync, spawn, type ChildProcess} from 'node:child_process'
import {once} from 'node:events'
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {expect} from 'chai'
import {repositoryRoot, runCli, startCli, type CliResult} from '../support/cli.js'
import {describeWith} from '../support/requires.js'
import {GIB, recordBytes} from '../support/segments.js'

interface WatchLine {
  readonly time: string
  readonly segments: unknown[]
  readonly missing: string[]
}

const SHM = '/dev/shm'
const PEER = join(repositoryRoot, 'test/support/segment.py')
const prefix = `kvctl-e2e-${process.pid}`
const isRoot = process.getuid?.() === 0

describe('the segment commands on /dev/shm', () => {
  let stateDir: string
  const started: ChildProcess[] = []
  const name = `${prefix}-vllm`
  const path = join(SHM, name)
  const put = (limitBytes: bigint, usedBytes = 0n, preallocBytes = 0n): void =>
    writeFileSync(path, recordBytes(limitBytes, usedBytes, preallocBytes))
  const kvctl = async (...args: string[]): Promise<CliResult> =>
    runCli(args, {env: {KVCTL_STATE_DIR: stateDir}})
  const startPeer = async (command: string): Promise<ChildProcess> => {
    const child = spawn('python3', [PEER, command, path], {stdio: ['pipe', 'pipe', 'inherit']})
    started.push(child)
    await once(child.stdout, 'data')
    return child
  }
  const start = (...args: string[]): ChildProcess => {
    const child = startCli(args, {env: {KVCTL_STATE_DIR: stateDir}})
    started.push(child)
    return child
  }

  beforeEach(() => (stateDir = mkdtempSync(join(tmpdir(), 'kvctl-state-'))))
  afterEach(() => {
    for (const child of started.splice(0)) child.kill('SIGKILL')
    for (const file of readdirSync(SHM))
      if (file.startsWith(prefix)) rmSync(join(SHM, file), {recursive: true})
    rmSync(stateDir, {recursive: true})
  })

  /** One failure, in text and in JSON: the status, one line on stderr or one document on stdout, and nothing else. */
  const expectFailure = async (
    args: string[],
    code: string,
    exitCode: number,
    message: RegExp,
  ): Promise<void> => {
    const [text, json] = await Promise.all([kvctl(...args), kvctl(...args, '--json')])
    expect(text.code, text.stderr).to.equal(exitCode)
    expect(text.stdout).to.equal('')
    const [first, ...others] = text.stderr.trimEnd().split('\n')
    expect(first)
      .to.match(/^Error: /)
      .and.match(message)
    for (const line of others) expect(line).to.match(/^( {2}Try: |Active IPC names: )/)
    expect(json.code).to.equal(exitCode)
    expect(json.stderr).to.equal('')
    const {error} = JSON.parse(json.stdout)
    expect(error).to.include({code, exit_code: exitCode})
    expect(error.message).to.match(message)
  }

  describeWith(['sh', 'jq'], 'list', () => {
    it('shows a segment written by hand with printf, in JSON that jq reads', async () => {
      const bytes = String.raw`\000\000\000\000\002\000\000\000\000\000\000\200\001\000\000\000\000\000\020\000\000\000\000\000`
      execFileSync('sh', ['-c', `printf '${bytes}' > ${path}`])
      const {code, stdout, stderr} = await kvctl('list', name, '--json')
      expect([code, stderr]).to.deep.equal([0, ''])
      const jq = execFileSync('jq', ['-c', '.[] | [.ipc, .limit_bytes, .used_bytes, keys_unsorted[:3]]'], {
        input: stdout,
      })
      expect(JSON.parse(jq.toString())).to.deep.equal([
        name,
        2 ** 33,
        1.5 * 2 ** 32,
        ['ipc', 'limit_bytes', 'used_bytes'],
      ])
      const all = JSON.parse((await kvctl('list', '--json')).stdout) as {ipc: string}[]
      expect(all.map(({ipc}) => ipc)).to.include(name)
    })

    it('prints sizes beyond 2^53 with every digit', async () => {
      put(2n ** 62n + 1n)
      const {stdout} = await kvctl('list', name, '--json')
      expect(stdout).to.contain('"limit_bytes": 4611686018427387905,')
      expect(execFileSync('jq', ['-r', '.[0].ipc'], {input: stdout}).toString().trim()).to.equal(name)
    })
  })

  it('list prints the table', async () => {
    put(8n * GIB, 6n * GIB)
    const {stdout} = await kvctl('list', name)
    expect(stdout).to.equal(
      `IPC                             Limit         Used      %\n${name.padEnd(24)}      8.00 GB      6.00 GB  75.0 %\n`,
    )
  })

  it('list shows what is there, tells what is missing on stderr, and leaves with 4', async () => {
    put(GIB)
    const text = await kvctl('list', `${prefix}-x`, name, `${prefix}-y`)
    expect(text.code).to.equal(4)
    expect(text.stdout.split('\n')).to.have.length(3)
    const missing = `Error: IPC '${prefix}-x' not found.\nError: IPC '${prefix}-y' not found.\n`
    expect(text.stderr).to.equal(missing)
    const json = await kvctl('list', `${prefix}-x`, name, `${prefix}-y`, '--json')
    expect([json.code, json.stderr, JSON.parse(json.stdout).length]).to.deep.equal([4, missing, 1])
  })

  it('list says so when there is nothing, with 0', async () => {
    const env = {KVCTL_SHM_DIR: stateDir, KVCTL_STATE_DIR: stateDir}
    const text = await runCli(['list'], {env})
    expect(text).to.include({code: 0, stdout: 'No active KVCached segments found.\n', stderr: ''})
    expect(await runCli(['list', '--json'], {env})).to.include({code: 0, stdout: '[]\n', stderr: ''})
  })

  it('limit says what it wrote on stdout and what becomes of it on stderr', async () => {
    put(8n * GIB, 6n * GIB)
    const pending = await kvctl('limit', name, '2G')
    expect(pending).to.include({
      code: 0,
      stdout:
        `No enough free space to decrease for the new kv_cache_limit for ${name}\n` +
        `Updated kv cache limit for ${name} to 2.00 GB (2147483648 bytes)\n`,
    })
    expect(pending.stderr).to.match(/^pending: .*6\.00 GB.*\n$/)
    expect(readFileSync(path)).to.deep.equal(recordBytes(2n * GIB, 6n * GIB))
    const {stdout, stderr} = await kvctl('limit', name, '7.5G', '--json')
    expect(stderr).to.equal('')
    expect(JSON.parse(stdout)).to.include({
      ipc: name,
      limit_bytes: 7.5 * 2 ** 30,
      used_bytes: 6 * 2 ** 30,
      previous_limit_bytes: 2 ** 31,
      startup_bytes: 2 ** 33,
      outcome: 'written',
    })
  })

  it('limit remembers the start-up total between commands and restores it', async () => {
    put(8n * GIB)
    await kvctl('list')
    expect((await kvctl('limit', name, '2G')).stderr).to.equal('applied\n')
    await expectFailure(['limit', name, '8.5G'], 'LIMIT_ABOVE_STARTUP', 2, /start-up total.*8\.00 GB/)
    expect((await kvctl('limit', name, '8G')).stderr).to.match(/^ignored: .*--restore/)
    const restored = await kvctl('limit', name, '--restore')
    expect(restored.stdout).to.contain(`(${8n * GIB + 4096n} bytes)`)
    expect(readFileSync(path)).to.deep.equal(recordBytes(8n * GIB + 4096n))
    expect((await kvctl('limit', name, '9G', '--force')).code).to.equal(0)
    expect(readFileSync(path)).to.deep.equal(recordBytes(9n * GIB))
  })

  it('limit works where nothing can be remembered', async () => {
    put(8n * GIB)
    const env = {KVCTL_STATE_DIR: '/proc/kvctl'}
    expect(await runCli(['limit', name, '2G'], {env})).to.include({code: 0, stderr: 'applied\n'})
    const debug = await runCli(['limit', name, '1G', '--log-level', 'debug'], {env})
    expect(debug.stderr).to.contain(`cannot remember the start-up total of ${name}`)
  })

  it('limit-percent takes a share of --of', async () => {
    put(80n * GIB)
    const {stdout} = await kvctl('limit-percent', name, '12.5%', '--of', '80G')
    expect(stdout).to.equal(`Updated kv cache limit for ${name} to 10.00 GB (${10n * GIB} bytes)\n`)
  })

  describe('fail with one line or one document', () => {
    const cases: [string[], string, number, RegExp][] = [
      [['limit', `${prefix}-absent`, '1G'], 'SEGMENT_NOT_FOUND', 4, /IPC '.*-absent' not found\.$/],
      [['limit-percent', `${prefix}-absent`, '5', '--of', '1G'], 'SEGMENT_NOT_FOUND', 4, /not found\.$/],
      [['delete', `${prefix}-absent`], 'SEGMENT_NOT_FOUND', 4, /not found\.$/],
      [['list', '../etc/passwd'], 'SEGMENT_NAME_INVALID', 2, /'\.\.\/etc\/passwd' is not a segment name/],
      [['limit', name, '1.2.3G'], 'SIZE_INVALID', 2, /'1\.2\.3G' is not a size/],
      [['limit', name, '9000000T'], 'SIZE_INVALID', 2, /larger than a segment can record/],
      [['limit', name, '0'], 'LIMIT_TOO_SMALL', 2, /keeps its previous one/],
      [['limit', name], 'USAGE', 2, /either SIZE or --restore/],
      [['limit', name, '1G', '--restore'], 'USAGE', 2, /either SIZE or --restore/],
      [['limit'], 'USAGE', 2, /required arg/],
      [
        ['limit', name, '1G', '--timeout', 'soon'],
        'DURATION_INVALID',
        2,
        /--timeout: 'soon' is not a duration/,
      ],
      [['limit-percent', name, '50'], 'NVML_UNAVAILABLE', 4, /--of SIZE/],
      [['limit-percent', name, 'half', '--of', '1G'], 'PERCENT_INVALID', 2, /'half'/],
      [['limit-percent', name, '101', '--of', '1G'], 'PERCENT_INVALID', 2, /'101'/],
      [['watch', '-n', '0'], 'INTERVAL_INVALID', 2, /interval of 0 ms/],
      [['watch', '--count', '0'], 'USAGE', 2, /--count: .*greater than or equal to 1/],
      [['list', '--bogus'], 'USAGE', 2, /--bogus/],
      [['watch', '--count', '1', '--count', '2'], 'USAGE', 2, /--count can only be specified once/],
    ]
    for (const [args, code, exitCode, message] of cases) {
      it(`kvctl ${args.join(' ').replaceAll(prefix, '…')}: ${code}, ${exitCode}`, async () => {
        put(8n * GIB)
        await expectFailure(args, code, exitCode, message)
        expect(readFileSync(path)).to.deep.equal(recordBytes(8n * GIB))
      })
    }
  })

  it('limit on a missing segment names those that exist', async () => {
    put(GIB)
    expect((await kvctl('limit', `${prefix}-absent`, '1G')).stderr).to.match(
      new RegExp(`\nActive IPC names: (.*, )?${name}(, .*)?\n$`),
    )
  })

  it('no command crashes on a hostile file or changes one', async () => {
    put(8n * GIB, GIB)
    const of = (kind: string): string => join(SHM, `${prefix}-${kind}`)
    writeFileSync(of('short'), 'x'.repeat(23))
    writeFileSync(of('long'), 'x'.repeat(25))
    writeFileSync(of('huge'), Buffer.alloc(8 * 2 ** 20, 1))
    writeFileSync(of('empty'), '')
    writeFileSync(of('negative'), recordBytes(-1n, 5n))
    symlinkSync(path, of('link'))
    symlinkSync('/nowhere', of('dangling'))
    mkdirSync(of('folder'))
    execFileSync('mkfifo', [of('fifo')])
    writeFileSync(of('secret'), recordBytes(GIB))
    chmodSync(of('secret'), 0)
    const kinds = ['short', 'long', 'huge', 'empty', 'link', 'dangling', 'folder', 'fifo']
    const content = (file: string): string => {
      const stats = lstatSync(file)
      if (stats.isSymbolicLink()) return readlinkSync(file)
      return stats.isFile() && (isRoot || stats.mode & 0o400)
        ? readFileSync(file).toString('base64')
        : 'no content'
    }
    const all = (): unknown =>
      readdirSync(SHM)
        .filter(file => file.startsWith(prefix))
        .map(file => {
          const {mode, ino, size, mtimeMs} = lstatSync(join(SHM, file))
          return [file, mode, ino, size, mtimeMs, content(join(SHM, file))]
        })
    const before = all()

    const listed = JSON.parse((await kvctl('list', '--json')).stdout) as {ipc: string}[]
    const ours = listed.map(({ipc}) => ipc).filter(ipc => ipc.startsWith(prefix))
    // Root reads what nobody may.
    expect(ours).to.deep.equal(isRoot ? [`${prefix}-secret`, name] : [name])
    for (const kind of kinds) {
      const expected = `${prefix}-${kind}`
      for (const args of [
        ['limit', expected, '1G'],
        ['delete', expected, '--force'],
        ['list', expected],
      ]) {
        const {code, stdout, stderr} = await kvctl(...args)
        expect([code, stdout], args.join(' ')).to.deep.equal([4, ''])
        expect(stderr).to.match(new RegExp(`^Error: '${expected}' .*so it is not a segment\n$`))
      }
    }
    if (!isRoot) expect((await kvctl('limit', `${prefix}-secret`, '1G')).stderr).to.contain('no permission')
    expect((await kvctl('watch', '--count', '1')).code).to.equal(0)
    expect(all()).to.deep.equal(before)
  }).timeout(60_000)

  it('watch --json prints one object a look and ends after --count', async () => {
    put(8n * GIB, GIB)
    const {code, stdout, stderr} = await kvctl(
      'watch',
      '--json',
      '--count',
      '2',
      '-n',
      '0.05',
      name,
      `${prefix}-x`,
    )
    expect([code, stderr]).to.deep.equal([0, ''])
    const lines = stdout
      .trimEnd()
      .split('\n')
      .map(line => JSON.parse(line) as WatchLine)
    expect(lines).to.have.length(2)
    for (const {time, segments, missing} of lines) {
      expect(new Date(time).toISOString()).to.equal(time)
      expect(segments).to.have.length(1)
      expect(segments[0]).to.include({ipc: name, limit_bytes: 2 ** 33, percent: 12.5})
      expect(missing).to.deep.equal([`${prefix}-x`])
    }
  })

  it('watch prints table after table into a pipe, without control codes, and sees changes', async () => {
    put(8n * GIB)
    const child = start('watch', '-n', '0.05', name, `${prefix}-x`)
    let text = ''
    child.stdout!.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
    await once(child.stdout!, 'data')
    put(4n * GIB)
    while (!text.includes('4.00 GB')) await once(child.stdout!, 'data')
    child.kill('SIGINT')
    expect(await once(child, 'close')).to.deep.equal([0, null])
    expect(text).to.match(/^IPC .*%\n.* 8\.00 GB .*\n.*-x +N\/A +N\/A +N\/A\n\nIPC /)
    expect(text).to.not.contain('\u001B')
  })

  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    it(`watch ends with 0 on ${signal}`, async () => {
      const child = start('watch', '--json', '-n', '0.05')
      await once(child.stdout!, 'data')
      child.kill(signal)
      expect(await once(child, 'close')).to.deep.equal([0, null])
    })
  }

  it('watch ends when its reader leaves', async () => {
    const child = start('watch', '--json', '-n', '0.02')
    await once(child.stdout!, 'data')
    child.stdout!.destroy()
    expect(await once(child, 'close')).to.deep.equal([0, null])
  })

  it('delete removes a segment that nobody uses, and only once', async () => {
    put(GIB)
    expect(await kvctl('delete', name)).to.include({code: 0, stdout: `Deleted IPC '${name}'.\n`, stderr: ''})
    put(GIB)
    const json = await kvctl('delete', path, '--json')
    expect(JSON.parse(json.stdout)).to.deep.equal({ipc: name, deleted: true})
    expect(lstatSync(path, {throwIfNoEntry: false})).to.equal(undefined)
  })

  describeWith(['python3'], 'beside another program', () => {
    it('limit gives up on a kept lock in time, and names who keeps it', async () => {
      put(GIB)
      const holder = await startPeer('hold')
      const message = new RegExp(`is locked by pid ${holder.pid} \\(python3\\)$`)
      await expectFailure(['limit', name, '512M', '--timeout', '0.1'], 'SEGMENT_LOCKED', 4, message)
      const list = await kvctl('list', name)
      expect(list.code).to.equal(0)
      expect(list.stderr).to.contain(`${name} is locked by another process`)
      expect(JSON.parse((await kvctl('list', name, '--json')).stdout)[0]).to.include({settled: false})
      expect(readFileSync(path)).to.deep.equal(recordBytes(GIB))
    })

    it('limit stops waiting for a lock on Ctrl-C, with 130', async () => {
      put(GIB)
      await startPeer('hold')
      const child = start('limit', name, '512M', '--timeout', '1h', '--log-level', 'debug')
      child.stderr!.setEncoding('utf8')
      const [line] = (await once(child.stderr!, 'data')) as [string]
      expect(line).to.contain(`waiting for the exclusive lock of ${name}`)
      child.kill('SIGINT')
      expect((await once(child, 'close'))[0]).to.equal(130)
    })

    it('limit --wait returns when the engine obeyed, and fails when it does not in time', async () => {
      put(8n * GIB, 6n * GIB, GIB)
      const late = await kvctl('limit', name, '4G', '--wait', '--timeout', '0.1')
      expect(late.code).to.equal(4)
      expect(late.stderr).to.match(/^Error: the limit is written, but .* still holds 7\.00 GB\n/)
      await startPeer('obey')
      const {code, stdout} = await kvctl('limit', name, '2G', '--wait', '--json')
      expect(code).to.equal(0)
      expect(JSON.parse(stdout)).to.include({outcome: 'applied', limit_bytes: 2 ** 31})
    })

    it('delete refuses the segment of a living engine, unless forced', async () => {
      put(GIB)
      const engine = await startPeer('watch')
      const message = new RegExp(`living engine: pid ${engine.pid} waits to read it$`)
      await expectFailure(['delete', name], 'SEGMENT_LIVE', 4, message)
      expect((await kvctl('delete', name, '--force')).code).to.equal(0)
    })
  })

  describeWith(['python3'], 'prune', () => {
    // A folder of its own: the real one may hold other programs' leftovers.
    const prune = async (...args: string[]): Promise<CliResult> =>
      runCli(['prune', ...args], {env: {KVCTL_STATE_DIR: stateDir, KVCTL_SHM_DIR: join(SHM, prefix)}})
    const segment = (title: string): string => join(SHM, prefix, title)
    beforeEach(() => mkdirSync(join(SHM, prefix)))

    it('says so when there is nothing to remove', async () => {
      expect(await prune()).to.include({code: 0, stdout: 'No stale segments found.\n', stderr: ''})
    })

    it('removes the segment of a killed engine and keeps that of a living one', async () => {
      for (const title of ['live', 'killed']) writeFileSync(segment(title), recordBytes(GIB, 5n))
      const watchers = await Promise.all(
        ['live', 'killed'].map(async title => {
          const child = spawn('python3', [PEER, 'watch', segment(title)], {
            stdio: ['pipe', 'pipe', 'inherit'],
          })
          started.push(child)
          await once(child.stdout, 'data')
          return child
        }),
      )
      expect(JSON.parse((await prune('--dry-run', '--json')).stdout)).to.deep.equal(
        ['killed', 'live'].map((ipc, index) => {
          const {pid} = watchers[1 - index]!
          return {ipc, state: 'live', pid, reason: `pid ${pid} waits to read it`, deleted: false}
        }),
      )
      watchers[1]!.kill('SIGKILL')
      await once(watchers[1]!, 'close')
      const dry = await prune('--dry-run')
      expect(dry).to.include({code: 0, stdout: "Would delete IPC 'killed'.\n"})
      expect(dry.stderr).to.equal(`kept live: live, pid ${watchers[0]!.pid} waits to read it\n`)
      expect(readdirSync(join(SHM, prefix))).to.have.length(2)
      expect(await prune()).to.include({code: 0, stdout: "Deleted IPC 'killed'.\n"})
      expect(readdirSync(join(SHM, prefix))).to.deep.equal(['live'])
    })
  })

  describeWith(['flock', 'python3'], 'beside flock(1)', () => {
    it('twenty kvctl limit and twenty other writers at once lose no update', async () => {
      put(64n * GIB)
      await kvctl('list')
      const addOne = `exec(open(${JSON.stringify(PEER)}).read().split('if __name__')[0]); f = open(${JSON.stringify(path)}, 'r+b', 0); t, u, p = LAYOUT.unpack(f.read(24)); f.seek(0); f.write(LAYOUT.pack(t, u + 1, p))`
      const theirs = Array.from({length: 20}, async () => {
        const child = spawn('flock', ['-x', path, 'python3', '-c', addOne], {stdio: 'inherit'})
        expect((await once(child, 'close'))[0]).to.equal(0)
      })
      const ours = await Promise.all(
        Array.from({length: 20}, async (_, index) =>
          kvctl('limit', name, `${index + 1}G`, '--json', '--timeout', '60'),
        ),
      )
      await Promise.all(theirs)
      const writes = ours.map(
        ({stdout}) => JSON.parse(stdout) as {previous_limit_bytes: number; limit_bytes: number},
      )
      const next = new Map(writes.map(write => [write.previous_limit_bytes, write.limit_bytes]))
      let [limit, links] = [64 * 2 ** 30, 0]
      for (; next.has(limit) && links < 20; links++) limit = next.get(limit)!
      expect(links).to.equal(20)
      expect(readFileSync(path)).to.deep.equal(recordBytes(BigInt(limit), 20n))
    }).timeout(120_000)
  })
})
