import {existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {expect} from 'chai'
import type {NsightJson} from '../../src/lib/nsight/index.js'
import {runCli, type CliResult} from '../support/cli.js'
import {NCU_FOLDER} from '../support/nsight/nsight-files.js'
import {temporaryFolder} from '../support/temporary.js'

describe('kvctl nsight', () => {
  const folder = temporaryFolder()
  const profile = async (mode: string, ...args: string[]): Promise<CliResult & {scratch: string[]}> => {
    writeFileSync(join(folder(), 'mode'), mode)
    const scratch = join(folder(), 'tmp')
    mkdirSync(scratch, {recursive: true})
    const env = {
      PATH: `${NCU_FOLDER}:${process.env['PATH']}`,
      KVCTL_TEST_NCU: folder(),
      TMPDIR: scratch,
    }
    const result = await runCli(['nsight', ...args], {env})
    // What Node 24 compiled stays, as it does for every program.
    return {...result, scratch: readdirSync(scratch).filter(name => name !== 'node-compile-cache')}
  }

  it('runs a command under ncu, and adds its kernels up', async () => {
    const {code, stdout, stderr, scratch} = await profile('rows', '--', 'echo', 'hello', '--json')
    expect(code).to.equal(0)
    expect(stdout).to.match(/^hello --json\nprocess 40112 \(python3\.11\): 2 kernels, 48\.7 µs on the GPU$/m)
    expect(stdout).to.match(/^ {2}occupancy {10}57\.99 %$/m)
    expect(stdout).to.match(/^ {2}threads per block {2}128 in the longest kernel \(128 to 256\)$/m)
    expect(stdout).to.match(/^ {2}memory throughput {2}211\.4 GB\/s$/m)
    expect(stderr).to.contain('latencies mean nothing')
    expect(scratch).to.deep.equal([])
    const given = readFileSync(join(folder(), 'arguments'), 'utf8').trimEnd().split('\n')
    expect(given.slice(-3)).to.deep.equal(['echo', 'hello', '--json'])
    expect(given).to.include.members(['--launch-count', '50', '--target-processes', 'all', 'base'])
  })

  it('is one document under --json, with the command’s own output on stderr', async () => {
    const flags = [
      '--json',
      '--launch-count',
      '7',
      '--launch-skip',
      '2',
      '--kernel-name',
      'topk',
      '--metrics',
      'lts__x.sum',
    ]
    const {code, stdout, stderr} = await profile('rows', ...flags, '--', 'sh', '-c', 'echo said; exit 3')
    expect(code).to.equal(1)
    expect(stderr).to.contain('said\n').and.contain('Warning: the command ended with 3')
    const {processes, ended, warnings} = JSON.parse(stdout) as NsightJson
    expect(ended).to.equal(3)
    expect(warnings).to.include('process 40112 has no lts__x.sum')
    expect(processes[0]).to.deep.include({
      ...{pid: 40_112, atomic_operations: 12_288, threads_per_block: 128, active_blocks: 736},
      ...{dram_read_bytes: 9_961_472, dram_write_bytes: 327_680, metrics: {'lts__x.sum': null}},
    })
    const given = readFileSync(join(folder(), 'arguments'), 'utf8')
    expect(given).to.contain('--launch-count\n7\n--launch-skip\n2\n--kernel-name\nregex:topk\n')
  })

  for (const [mode, says] of [
    ['log:ERR_NVGPUCTRPERM', /may not read the GPU’s performance counters .*\n.*Try: run it as root/],
    ["unrecognised option '--page'", /does not know an option .*\n.*Try: ncu --version/],
    ['silent', /profiled nothing and ended with 0/],
  ] as const) {
    it(`leaves with 4 and a hint when ncu gives "${mode}"`, async () => {
      const {code, stderr} = await profile(mode, '--', 'true')
      expect(code).to.equal(4)
      expect(stderr).to.match(says)
    })
  }

  it('ends a command that hangs, with all that it started', async () => {
    const {code, stderr, scratch} = await profile('hang', '--timeout', '500ms', '--', 'true')
    expect(code).to.equal(4)
    expect(stderr).to.contain('did not end within 500 ms').and.contain('nsight-compute-lock')
    expect(scratch).to.deep.equal([])
    for (const pid of readFileSync(join(folder(), 'pids'), 'utf8').trim().split(' '))
      while (existsSync(`/proc/${pid}`)) await new Promise(resolve => setTimeout(resolve, 20))
  })

  it('says where ncu comes from when it is not there, and that a command is not', async () => {
    const {code, stderr} = await runCli(['nsight', '--', 'true'], {env: {PATH: folder()}})
    expect(code).to.equal(4)
    expect(stderr).to.contain('ncu, the command line of Nsight Compute, is not installed here')
    expect(stderr).to.contain('https://developer.nvidia.com/nsight-compute')
    const missing = await profile('rows', '--', 'no-such-program')
    expect(missing).to.include({code: 4})
    expect(missing.stderr).to.contain("there is no program 'no-such-program' to profile")
  })
})
