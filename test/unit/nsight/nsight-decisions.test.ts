import {expect} from 'chai'
import {profileProcesses} from '../../../src/lib/nsight/aggregate.js'
import {explainNcu, unexplainedNcu} from '../../../src/lib/nsight/explain.js'
import {BASE_METRICS} from '../../../src/lib/nsight/index.js'
import {ncuArguments} from '../../../src/lib/nsight/ncu-arguments.js'
import {readNsightPage} from '../../../src/lib/nsight/read-page.js'
import {nsightPage} from '../../support/nsight/nsight-files.js'

describe('what Nsight Compute’s launches add up to', () => {
  it('is sums, the mean occupancy over time, and the threads of the longest kernel', () => {
    const [profile, ...others] = profileProcesses(readNsightPage(nsightPage('raw')).launches, BASE_METRICS)
    expect(others).to.deep.equal([])
    const ns = 41_568 + 7104
    expect(profile).to.deep.include({
      ...{pid: 40_112, name: 'python3.11', launches: 2, durationNs: ns},
      ...{atomicOperations: 12_288, threadsPerBlock: 128, threadsPerBlockMin: 128, threadsPerBlockMax: 256},
      ...{activeBlocks: 640 + 96, dramReadBytes: 9_961_472, dramWriteBytes: 327_680, missing: []},
    })
    expect(profile!.occupancyPercent).to.be.closeTo((61.25 * 41_568 + 38.9 * 7104) / ns, 1e-9)
    expect(profile!.occupancyPercent).to.be.closeTo(57.99, 0.005)
    expect(profile!.memoryThroughputBytesPerSecond! / 1e9).to.be.closeTo(211.4, 0.05)
  })

  it('is kept apart by process, with null and the metric’s name for what no launch has', () => {
    const launches = readNsightPage(nsightPage('raw-scaled')).launches
    const [app, worker] = profileProcesses(launches, [...BASE_METRICS, 'lts__t_sectors_op_atom.sum'])
    expect(app).to.include({pid: 7, launches: 1, occupancyPercent: null, atomicOperations: null})
    expect(app!.more).to.deep.equal({'lts__t_sectors_op_atom.sum': null})
    expect(app!.missing).to.include.members([
      'smsp__sass_inst_executed_op_atom.sum',
      'lts__t_sectors_op_atom.sum',
    ])
    expect(worker).to.include({pid: 8, threadsPerBlock: 64, dramReadBytes: null, durationNs: null})
    expect(worker!.memoryThroughputBytesPerSecond).to.equal(null)
  })
})

describe('the arguments of ncu', () => {
  const options = {
    command: ['app', '--csv'],
    metrics: ['a', 'b'],
    launchCount: 5,
    launchSkip: 0,
    kernelName: null,
  }
  it('ask for the raw page in base units of all children, and end with the command', () => {
    expect(ncuArguments(options, '/tmp/log').join(' ')).to.equal(
      '--csv --page raw --print-units base --target-processes all --metrics a,b --clock-control none ' +
        '--cache-control none --launch-count 5 --log-file /tmp/log app --csv',
    )
  })

  it('skip launches and choose kernels when told to', () => {
    const text = ncuArguments({...options, launchSkip: 3, kernelName: 'paged|topk'}, '/tmp/log').join(' ')
    expect(text).to.contain('--launch-skip 3 --kernel-name regex:paged|topk --log-file')
  })
})

describe('a failure of Nsight Compute', () => {
  for (const [text, code, does] of [
    [
      'ERR_NVGPUCTRPERM - The user does not have permission',
      'NSIGHT_NOT_PERMITTED',
      /SYS_ADMIN.*NVreg_Restrict/,
    ],
    ['No kernels were profiled.', 'NSIGHT_NO_KERNELS', /--kernel-name/],
    [
      'Profiling failed because a driver resource was unavailable.',
      'NSIGHT_COUNTERS_TAKEN',
      /dcgmi profile --pause/,
    ],
    ['Failed to access the following 2 metrics: x, y', 'NSIGHT_METRIC_UNKNOWN', /--metrics/],
    ['failed to connect to the CUDA driver', 'NSIGHT_NO_DRIVER', /kvctl doctor/],
    ["unrecognised option '--page'", 'NSIGHT_VERSION', /ncu --version/],
  ] as const) {
    it(`that says "${text}" is ${code}, with what to do`, () => {
      const error = explainNcu(`==PROF== Connected\n==ERROR== ${text}\n`)!
      expect(error).to.include({code, exitCode: 4})
      expect(error.message).to.contain(text)
      expect(error.suggestions.join(' ')).to.match(does)
    })
  }

  it('that is unknown says how it ended, with its last error', () => {
    expect(explainNcu('all is well')).to.equal(null)
    expect(unexplainedNcu('==ERROR== one\n==ERROR== two\n', '1').message).to.equal(
      'Nsight Compute profiled nothing and ended with 1: two',
    )
    expect(unexplainedNcu('', 'SIGSEGV').message).to.contain('ended with SIGSEGV')
  })
})
