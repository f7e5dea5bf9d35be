import {expect} from 'chai'
import {judgeKvcachedVariables} from '../../../src/lib/doctor/judge-kvcached.js'
import {judgeSegments, judgeSharedMemory} from '../../../src/lib/doctor/judge-memory.js'
import {judgeEngine, judgePort, judgeStats, programOf} from '../../../src/lib/doctor/judge-network.js'
import {judgeNativeCalls, judgeNode, judgeNsight} from '../../../src/lib/doctor/judge-tools.js'
import type {OwnedLook, PruneFinding, SegmentState} from '../../../src/lib/segments/index.js'

const GIB = 2 ** 30

describe('what doctor says of shared memory', () => {
  const room = {folder: '/dev/shm', totalBytes: 16 * GIB, freeBytes: 8 * GIB, isWritable: true, problem: null}
  for (const [what, more, status] of [
    ['with room', {}, 'ok'],
    ['that is nearly full', {freeBytes: GIB / 2}, 'warn'],
    ['that is full', {freeBytes: 4096}, 'fail'],
    ['of Docker’s 64 MiB', {totalBytes: 2 ** 26, freeBytes: 2 ** 26}, 'warn'],
    ['that cannot be written to', {isWritable: false}, 'fail'],
    ['that is not there', {totalBytes: null, freeBytes: null, problem: 'ENOENT'}, 'fail'],
  ] as const) {
    it(`is ${status} of one ${what}`, () => {
      const check = judgeSharedMemory({...room, ...more})
      expect(check.status).to.equal(status)
      expect(check.detail).to.contain('/dev/shm')
      expect(check.fix === null).to.equal(status === 'ok')
    })
  }

  const look = (name: string, warnings: SegmentState['warnings'] = []): OwnedLook =>
    ({name, state: {verdict: 'live', pid: 1, owner: null, because: '', warnings}}) as unknown as OwnedLook
  const finding = (name: string, verdict: PruneFinding['verdict']): PruneFinding => ({
    ...{name, verdict, pid: null, owner: null, because: '', isRemoved: false},
  })

  it('names segments, those that nobody uses, and those that are odd', () => {
    expect(judgeSegments([], []).status).to.equal('skipped')
    expect(judgeSegments([look('a'), look('b')], [finding('a', 'live'), finding('b', 'idle')])).to.include({
      status: 'ok',
      detail: '2 segments: a, b',
    })
    expect(judgeSegments([look('a'), look('b')], [finding('b', 'stale')])).to.include({
      ...{status: 'warn', detail: '2 segments, of which nobody uses b', fix: 'kvctl prune'},
    })
    const shared = look('a', [{code: 'SEGMENT_SHARED', message: 'engines 1 and 2 publish into it'}])
    expect(judgeSegments([shared], []).detail).to.equal('1 segment; a: engines 1 and 2 publish into it')
  })
})

describe('what doctor says of kvcached’s variables', () => {
  it('shows those that hold, with kvcached’s own defaults', () => {
    const [effective, ...others] = judgeKvcachedVariables({KVCACHED_PAGE_SIZE_MB: '4', KVCACHED_IPC_NAME: ''})
    expect(others).to.deep.equal([])
    expect(effective!.detail)
      .to.contain('KVCACHED_PAGE_SIZE_MB=4,')
      .and.contain('KVCACHED_GPU_UTILIZATION=0.95 (default)')
      .and.not.contain('KVCACHED_IPC_NAME')
  })

  for (const [name, value] of [
    ['KVCACHED_PAGE_SIZE_MB', '3'],
    ['KVCACHED_PAGE_SIZE_MB', '0'],
    ['KVCACHED_GPU_UTILIZATION', '95'],
    ['KVCACHED_GPU_UTILIZATION', 'most'],
    ['KVCACHED_MIN_RESERVED_PAGES', '-1'],
    ['KVCACHED_MAX_RESERVED_PAGES', 'ten'],
    ['KVCACHED_IPC_TIMEOUT', 'soon'],
    ['KVCACHED_PAGE_PREALLOC_ENABLED', '1'],
    ['KVCACHED_IPC_NAME', 'a/b'],
    ['KVCACHED_LOG_LEVEL', 'loud'],
    ['ENABLE_KVCACHED', 'yes'],
  ] as const) {
    it(`does not let ${name}=${value} pass, and names the value`, () => {
      const faults = judgeKvcachedVariables({[name]: value}).filter(({status}) => status !== 'ok')
      expect(faults.map(fault => fault.name)).to.deep.equal([`variable ${name}`])
      expect(faults[0]!.detail).to.contain(`${name}='${value}'`)
      // What kvcached takes for something else is no reason to leave with 4.
      const isMisread = /PREALLOC|IPC_NAME|LOG_LEVEL|ENABLE/.test(name)
      expect(faults[0]!.status).to.equal(isMisread ? 'warn' : 'fail')
    })
  }

  it('warns of a variable that kvcached does not have, and of reserves that cannot be kept', () => {
    const warned = (environment: NodeJS.ProcessEnv): string[] =>
      judgeKvcachedVariables(environment)
        .filter(({status}) => status === 'warn')
        .map(({name}) => name)
    expect(warned({KVCACHED_PAGESIZE_MB: '2', KVCACHED_DIR: '/x'})).to.deep.equal([
      'variable KVCACHED_PAGESIZE_MB',
    ])
    expect(warned({KVCACHED_MIN_RESERVED_PAGES: '20'})).to.deep.equal([
      'variable KVCACHED_MIN_RESERVED_PAGES',
    ])
  })
})

describe('what doctor says of ports', () => {
  const sight = {port: 8000, purpose: 'vLLM'}
  it('tells who listens, and warns of strangers', () => {
    expect(judgePort({...sight, listener: null})).to.include({
      name: 'port 8000',
      status: 'ok',
      detail: 'free (vLLM)',
    })
    expect(judgePort({...sight, listener: {pid: 7, command: 'vllm serve m'}}).status).to.equal('ok')
    expect(judgePort({...sight, listener: {pid: 7, command: 'nginx: master'}})).to.include({
      status: 'warn',
      detail: 'taken by nginx: master (pid 7) (vLLM)',
    })
    expect(judgePort({...sight, listener: {pid: null, command: null}}).fix).to.contain('ss -ltnp')
  })
})

describe('the program that doctor names', () => {
  it('is known by its first words, and never by what stands behind an option', () => {
    expect(programOf('vllm serve meta-llama/Llama-3.1-8B --port 8000')).to.equal(
      'vllm serve meta-llama/Llama-3.1-8B',
    )
    expect(programOf('node server.js --token=secret')).to.equal('node server.js')
    expect(programOf('python3 -m http.server 8000')).to.equal('python3 -m http.server')
    expect(programOf('mysqld -psecret')).to.equal('mysqld')
  })
})

describe('what doctor says of an engine', () => {
  const figures = {
    ...{running: 2, waiting: 0, kvCacheUsage: 0.25, preemptions: 0, promptTokens: 1, generationTokens: 1},
    ...{prefixCacheQueries: null, prefixCacheHits: null, firstTokens: null, firstTokenSeconds: null},
  }
  const well = {url: 'http://h:8000', isAsked: true, status: 200, problem: null, version: '0.11.0', figures}
  it('shows version, health and KV figures', () => {
    expect(judgeEngine(well)).to.include({
      status: 'ok',
      detail: 'version 0.11.0, healthy, KV cache 25.0 % in use, 2 running, 0 waiting',
    })
    expect(judgeEngine({...well, status: 503})).to.include({status: 'fail'})
    expect(judgeEngine({...well, figures: null})).to.include({status: 'warn'})
  })

  it('fails one that was asked for and cannot be reached, and skips one that nobody named', () => {
    const gone = {...well, status: null, problem: 'http://h:8000/health cannot be reached: ECONNREFUSED'}
    expect(judgeEngine(gone)).to.include({status: 'fail', detail: gone.problem})
    expect(judgeEngine({...gone, isAsked: false})).to.include({status: 'skipped'})
  })
})

describe('what doctor says of a server’s GPU figures', () => {
  const well = {
    ...{url: 'http://h:6767', problem: null, status: 200, tookMs: 8, error: null},
    ...{ageMs: 400, secondCache: 'HIT'},
  }
  for (const [what, more, status, says] of [
    ['that are fresh and cached', {}, 'ok', /400 ms old, fresh ones in 8 ms, cached \(X-Cache: HIT\)/],
    ['"Stale data": that are old', {ageMs: 60_000}, 'fail', /60\.0 s old/],
    ['"High latency": that are not cached', {secondCache: 'MISS'}, 'warn', /X-Cache: MISS/],
    ['"High latency": without X-Cache', {secondCache: null}, 'warn', /X-Cache: nothing/],
    ['"High latency": that take long', {tookMs: 900}, 'warn', /took 900 ms/],
    ['of unknown age', {ageMs: null}, 'ok', /of unknown age/],
    [
      '"NVML not initialized" there',
      {status: 500, error: 'Failed to query GPU: NVML not initialized'},
      'fail',
      /NVML not initialized/,
    ],
    [
      '"no GPUs found" there',
      {status: 500, error: 'Failed to query GPU: no GPUs found'},
      'fail',
      /no GPUs found/,
    ],
    ['that fail otherwise', {status: 500, error: 'x'}, 'fail', /answers 500: x/],
    ['that it has not', {status: 404}, 'skipped', /no \/proxy\/stats/],
    ['that cannot be asked for', {problem: 'cannot be reached'}, 'fail', /cannot be reached/],
  ] as const) {
    it(`is ${status} of figures ${what}`, () => {
      const check = judgeStats({...well, ...more})
      expect(check.status).to.equal(status)
      expect(check.detail).to.match(says)
    })
  }
})

describe('what doctor says of the tools', () => {
  it('asks for Node 20.19', () => {
    expect(
      ['18.20.0', '20.18.9', '20.19.0', '24.1.0'].map(version => judgeNode(version).status),
    ).to.deep.equal([...['fail', 'fail', 'ok', 'ok']])
  })

  it('asks for koffi, and tells what loading it failed with', () => {
    expect(judgeNativeCalls(null).status).to.equal('ok')
    expect(judgeNativeCalls('Cannot find module')).to.include({
      status: 'fail',
      fix: 'npm ci again, without --omit=optional',
    })
  })

  it('skips Nsight Compute where it is not, and warns where its counters are restricted', () => {
    expect(judgeNsight({path: null, isRestricted: true}).status).to.equal('skipped')
    expect(judgeNsight({path: '/usr/bin/ncu', isRestricted: false})).to.include({
      status: 'ok',
      detail: '/usr/bin/ncu',
    })
    expect(judgeNsight({path: '/usr/bin/ncu', isRestricted: true}).fix).to.contain(
      'NVreg_RestrictProfilingToAdminUsers=0',
    )
  })
})
