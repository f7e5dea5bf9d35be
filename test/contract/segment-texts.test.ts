import {mkdirSync, readFileSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {expect} from 'chai'
import {runCli, type CliResult} from '../support/cli.js'
import {GIB, recordBytes} from '../support/segments.js'
import {temporaryFolder} from '../support/temporary.js'

type Streams = Pick<CliResult, 'code' | 'stdout' | 'stderr'>

/** `ovg-project/kvcached:kvcached/cli/kvctl.py` prints these texts on these streams; the statuses of failures are ours. */
describe('what the segment commands print', () => {
  const folder = temporaryFolder()
  const shm = (): string => join(folder(), 'shm')
  const put = (name: string, limitBytes: bigint, usedBytes = 0n, preallocBytes = 0n): void =>
    writeFileSync(join(shm(), name), recordBytes(limitBytes, usedBytes, preallocBytes))
  const kvctl = async (...args: string[]): Promise<Streams> => {
    const {code, stdout, stderr} = await runCli(args, {
      env: {
        KVCTL_SHM_DIR: shm(),
        KVCTL_STATE_DIR: join(folder(), 'state'),
        KVCTL_NVML_PATH: join(folder(), 'no-driver-here'),
      },
    })
    return {code, stdout, stderr}
  }

  beforeEach(() => mkdirSync(shm()))

  describe('where there is no segment', () => {
    const nothing = 'No active KVCached segments found.\n'
    const absent = "Error: IPC 'a' not found.\n"
    const cases: [string, Streams][] = [
      ['list', {code: 0, stdout: nothing, stderr: ''}],
      ['list --json', {code: 0, stdout: '[]\n', stderr: ''}],
      ['list a', {code: 4, stdout: '', stderr: absent}],
      ['limit a 1G', {code: 4, stdout: '', stderr: absent}],
      ['limit-percent a 50 --of 80G', {code: 4, stdout: '', stderr: absent}],
      ['delete a', {code: 4, stdout: '', stderr: absent}],
      ['watch --count 1', {code: 0, stdout: nothing, stderr: ''}],
    ]
    for (const [line, streams] of cases) {
      it(`kvctl ${line}`, async () => {
        expect(await kvctl(...line.split(' '))).to.deep.equal(streams)
      })
    }
  })

  describe('where there are other segments', () => {
    for (const line of ['limit a 1G', 'limit-percent a 50 --of 80G', 'delete a']) {
      it(`kvctl ${line} names them`, async () => {
        put('c', GIB)
        put('b', GIB)
        expect(await kvctl(...line.split(' '))).to.deep.equal({
          code: 4,
          stdout: '',
          stderr: "Error: IPC 'a' not found.\nActive IPC names: b, c\n",
        })
      })
    }
  })

  it('kvctl limit kvcached_vLLM_12345 8G', async () => {
    put('kvcached_vLLM_12345', 16n * GIB, 6n * GIB)
    expect(await kvctl('limit', 'kvcached_vLLM_12345', '8G')).to.deep.equal({
      code: 0,
      stdout: `Updated kv cache limit for kvcached_vLLM_12345 to 8.00 GB (${8n * GIB} bytes)\n`,
      stderr: 'applied\n',
    })
    expect(readFileSync(join(shm(), 'kvcached_vLLM_12345'))).to.deep.equal(recordBytes(8n * GIB, 6n * GIB))
  })

  it('kvctl limit below what is used', async () => {
    put('a', 16n * GIB, 6n * GIB)
    expect((await kvctl('limit', 'a', '4G')).stdout).to.equal(
      'No enough free space to decrease for the new kv_cache_limit for a\n' +
        `Updated kv cache limit for a to 4.00 GB (${4n * GIB} bytes)\n`,
    )
  })

  it('kvctl limit-percent kvcached_vLLM_12345 80', async () => {
    put('kvcached_vLLM_12345', 100n * GIB)
    const {code, stdout} = await kvctl('limit-percent', 'kvcached_vLLM_12345', '80', '--of', '100G')
    expect({code, stdout}).to.deep.equal({
      code: 0,
      stdout: `Updated kv cache limit for kvcached_vLLM_12345 to 80.00 GB (${80n * GIB} bytes)\n`,
    })
  })

  it('kvctl limit-percent without a size to take it of', async () => {
    put('a', GIB)
    const {code, stderr} = await kvctl('limit-percent', 'a', '80')
    expect(code).to.equal(4)
    expect(stderr).to.match(/^Error: CUDA unavailable; cannot compute size from percentage/)
  })

  it('kvctl delete kvcached_vLLM_12345', async () => {
    put('kvcached_vLLM_12345', GIB)
    expect(await kvctl('delete', 'kvcached_vLLM_12345')).to.deep.equal({
      code: 0,
      stdout: "Deleted IPC 'kvcached_vLLM_12345'.\n",
      stderr: '',
    })
  })

  it('kvctl list: by name when none is given, else in the order given', async () => {
    for (const name of ['c', 'a', 'b']) put(name, GIB)
    const names = async (...args: string[]): Promise<string> =>
      (await kvctl('list', ...args)).stdout.replaceAll(/^(\S+).*\n/gm, '$1 ')
    expect(await names()).to.equal('IPC a b c ')
    expect(await names('c', 'a')).to.equal('IPC c a ')
  })

  it('kvctl list --json: three keys of kvcached, then those of kvctl', async () => {
    put('a', 8n * GIB, 6n * GIB, GIB)
    const {stdout} = await kvctl('list', '--json')
    expect(stdout.slice(0, 100)).to.match(
      /^\[\n {2}\{\n {4}"ipc": "a",\n {4}"limit_bytes": 8589934592,\n {4}"used_bytes": 6442450944,\n/,
    )
    const [segment] = JSON.parse(stdout) as [object]
    expect(segment).to.include({
      prealloc_bytes: 2 ** 30,
      free_bytes: 2 ** 30, // 8 − 6 − 1
      percent: 75,
      startup_bytes: 2 ** 33,
      settled: true,
    })
  })

  it('kvctl watch shows what it was asked for, and N/A for what is missing', async () => {
    put('a', 8n * GIB, 6n * GIB)
    const {code, stdout, stderr} = await kvctl('watch', '-n', '0.05', '--count', '2', 'b', 'a')
    expect({code, stderr}).to.deep.equal({code: 0, stderr: ''})
    const table = `${'IPC'.padEnd(24)}        Limit         Used      %
${'a'.padEnd(24)}      8.00 GB      6.00 GB  75.0 %
${'b'.padEnd(24)}          N/A          N/A     N/A
`
    expect(stdout).to.equal(`${table}\n${table}`)
  })

  it('no failure is a stack trace', async () => {
    put('a', GIB)
    for (const line of ['limit a 10Mi', 'limit a', 'limit-percent a many', 'nonsense', 'list --nonsense']) {
      const {code, stdout, stderr} = await kvctl(...line.split(' '))
      expect({code, stdout}, line).to.deep.equal({code: 2, stdout: ''})
      expect(stderr, line).to.match(/^Error: .+\n( {2}Try: .+\n)*$/)
    }
  })

  it('kvctl --help and kvctl COMMAND --help work', async () => {
    for (const args of [['--help'], ['list', '--help'], ['limit-percent', '--help']]) {
      const {code, stdout, stderr} = await kvctl(...args)
      expect({code, stderr}, args.join(' ')).to.deep.equal({code: 0, stderr: ''})
      expect(stdout, args.join(' ')).to.match(/^USAGE\n {2}\$ kvctl/m)
    }
  })
})
