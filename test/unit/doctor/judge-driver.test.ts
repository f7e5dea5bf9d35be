import {expect} from 'chai'
import type {Check} from '../../../src/lib/doctor/check.js'
import {judgeDriver} from '../../../src/lib/doctor/judge-driver.js'
import type {Surroundings} from '../../../src/lib/doctor/surroundings.js'
import {troubledDriver} from '../../../src/lib/gpu/driver-state.js'
import {unreadGpu} from '../../../src/lib/gpu/gpu-session.js'
import type {CudaLook, GpuLook, NvmlProbe} from '../../../src/lib/gpu/index.js'

const NODES = ['nvidia-uvm', 'nvidia0', 'nvidiactl'].map(name => ({
  ...{name, isUsable: true, mode: '0666', groupId: 0},
}))
/** A machine with a GPU and all that belongs to it. */
const MACHINE: Surroundings = {
  pciGpus: ['0000:3b:00.0'],
  nodes: NODES,
  kernelDriver: '550.163.01',
  container: null,
  visibleDevices: null,
  capabilities: null,
  namedLibrary: null,
  cudaVisibleDevices: null,
  seesHostPids: true,
  isProfilingRestricted: null,
}
/** One without. */
const BARE: Surroundings = {...MACHINE, pciGpus: [], nodes: [], kernelDriver: null}
const gpu = (index: number, more: Partial<GpuLook> = {}): GpuLook => ({
  ...unreadGpu(index, 'ok', 'no_data'),
  name: 'NVIDIA H100 80GB HBM3',
  ...more,
})
const DRIVER = {
  ...{state: 'ok' as const, problem: null, nvmlVersion: null},
  ...{driverVersion: '550.163.01', cudaVersion: '12.4'},
}
const WELL: NvmlProbe = {
  driver: DRIVER,
  gpus: [gpu(0)],
  count: 1,
  calls: [
    {call: 'nvmlInit_v2', count: 1, medianMs: 900, worstMs: 900},
    {call: 'nvmlDeviceGetPowerUsage', count: 4, medianMs: 0.4, worstMs: 2},
  ],
  stuckIn: null,
}
const troubled = (...driver: Parameters<typeof troubledDriver>): NvmlProbe => ({
  ...{driver: troubledDriver(...driver), gpus: [], count: 0, calls: [], stuckIn: null},
})
const NO_LIBRARY = troubled('no_library', 'libnvidia-ml.so.1: cannot open shared object file')
const CUDA: CudaLook = {
  ...{state: 'ok', status: null, problem: null, version: '12.4'},
  devices: [
    {
      ...{ordinal: 0, name: 'H100', uuid: 'GPU-0', pciBusId: '0000:3b:00.0', totalBytes: 2 ** 36},
      ...{computeCapability: '9.0', multiprocessors: 132, hasVirtualMemory: true},
    },
  ],
}
const NO_CUDA: CudaLook = {
  ...{state: 'no_library', status: 303, problem: 'libcuda.so.1: cannot open', version: null, devices: []},
}

const judged = (seen: Surroundings, nvml: NvmlProbe, cuda: CudaLook = CUDA): Map<string, Check> =>
  new Map(judgeDriver(seen, nvml, cuda).map(check => [check.name, check]))
const statuses = (checks: Map<string, Check>): Record<string, string> =>
  Object.fromEntries([...checks].map(([name, {status}]) => [name, status]))

describe('what doctor says of drivers and GPUs', () => {
  it('is ok all along on a machine where all is well', () => {
    const checks = judged(MACHINE, WELL)
    expect(statuses(checks)).to.deep.equal({
      ...{driver: 'ok', 'gpu 0': 'ok', 'device-nodes': 'ok', 'container-runtime': 'skipped'},
      ...{'pod-gpu-limit': 'skipped', 'pid-namespace': 'ok', 'nvml-latency': 'ok', 'cuda-library': 'ok'},
    })
    expect(checks.get('driver')!.detail).to.equal('NVIDIA driver 550.163.01, CUDA up to 12.4, 1 GPU')
    expect(checks.get('nvml-latency')!.detail).to.equal(
      '1 calls, the slowest nvmlDeviceGetPowerUsage 0.40 ms',
    )
  })

  it('fails nothing where there is no GPU and nothing says that there should be one', () => {
    for (const nvml of [NO_LIBRARY, troubled('not_loaded', 'nvmlInit_v2')]) {
      const found = Object.values(statuses(judged(BARE, nvml, NO_CUDA)))
      expect(found).to.not.include('fail').and.not.include('warn')
    }
  })

  it('"NVML not initialized": a GPU without a driver is to be given one', () => {
    const {detail, fix, status} = judged({...BARE, pciGpus: ['0000:3b:00.0']}, NO_LIBRARY).get('driver')!
    expect(status).to.equal('fail')
    expect(detail)
      .to.contain('no usable NVIDIA driver library')
      .and.contain('there is an NVIDIA GPU at 0000:3b:00.0')
    expect(fix).to.contain('install the NVIDIA driver')
  })

  it('fails a library that was named and cannot be loaded, whatever else is here', () => {
    const checks = judged({...BARE, namedLibrary: '/x/libnvidia-ml.so.1'}, NO_LIBRARY, NO_CUDA)
    expect(statuses(checks)).to.include({driver: 'fail', 'cuda-library': 'fail', 'device-nodes': 'skipped'})
  })

  for (const [state, says, does] of [
    ['not_loaded', 'kernel driver is not loaded', 'modprobe nvidia'],
    ['version_mismatch', 'different versions', 'reload the kernel module or reboot'],
    ['no_permission', 'may not open', 'ls -l /dev/nvidia*'],
    ['unreachable', 'cannot be reached', 'daemon-reload'],
    ['hung', 'does not answer', 'reset the GPU or reboot'],
    ['crashed', 'took its process down', 'reinstall the driver'],
  ] as const) {
    it(`"NVML not initialized": says what a driver that is ${state} needs`, () => {
      const {status, detail, fix} = judged(MACHINE, troubled(state, 'x')).get('driver')!
      expect(status).to.equal('fail')
      expect(detail).to.contain(says)
      expect(fix).to.contain(does)
    })
  }

  it('"NVML not initialized": a container without /dev/nvidia* is to be started with GPUs', () => {
    const checks = judged({...MACHINE, nodes: [], container: 'other'}, NO_LIBRARY)
    expect(checks.get('device-nodes')).to.include({status: 'fail', detail: 'there is no /dev/nvidia*'})
    expect(checks.get('device-nodes')!.fix).to.contain('docker run --gpus all')
  })

  it('"NVML not initialized": says when the container runtime brought nothing in, or not the utility library', () => {
    const container = {...MACHINE, nodes: [], container: 'other'} as const
    const nothing = judged(container, NO_LIBRARY).get('container-runtime')!
    expect(nothing).to.include({status: 'fail'})
    expect(nothing.fix).to.contain('nvidia-ctk runtime configure')
    const compute = {...container, visibleDevices: 'all', capabilities: 'compute'}
    expect(judged(compute, NO_LIBRARY).get('container-runtime')).to.include({
      status: 'fail',
      fix: 'NVIDIA_DRIVER_CAPABILITIES=compute,utility',
    })
    const lost = {...container, visibleDevices: 'all', capabilities: 'all', nodes: NODES}
    expect(judged(lost, troubled('unreachable', '999')).get('container-runtime')!.fix).to.contain(
      'daemon-reload',
    )
    const utility = {...container, visibleDevices: 'all', capabilities: 'utility'}
    expect(judged(utility, WELL).get('container-runtime')).to.include({status: 'warn'})
  })

  it('names device nodes that this user may not open, with their rights', () => {
    const nodes = NODES.map(node => ({...node, isUsable: node.name !== 'nvidia0', mode: '0660', groupId: 44}))
    const check = judged({...MACHINE, nodes}, troubled('no_permission', 'x')).get('device-nodes')!
    expect(check).to.include({status: 'fail', detail: 'this user may not open /dev/nvidia0 (0660, group 44)'})
    expect(check.fix).to.contain('usermod -aG video')
  })

  it('warns without /dev/nvidia-uvm, and fails with half of the nodes', () => {
    const named = (...names: string[]): Surroundings => ({
      ...MACHINE,
      nodes: NODES.filter(({name}) => names.includes(name)),
    })
    expect(judged(named('nvidia0', 'nvidiactl'), WELL).get('device-nodes')).to.include({status: 'warn'})
    expect(judged(named('nvidiactl'), WELL).get('device-nodes')).to.include({status: 'fail'})
    expect(judged(named(), WELL).get('device-nodes')).to.include({status: 'ok'})
  })

  it('"no GPUs found": a pod is to ask for nvidia.com/gpu, and the device plugin to run', () => {
    const pod = {...BARE, container: 'kubernetes', visibleDevices: 'void'} as const
    const none = {...WELL, gpus: [], count: 0}
    const checks = judged({...pod, nodes: NODES}, none)
    expect(checks.get('gpus')).to.include({status: 'fail'})
    expect(checks.get('gpus')!.fix).to.contain('nvidia.com/gpu: 1').and.contain('device-plugin')
    expect(checks.get('pod-gpu-limit')).to.include({
      status: 'fail',
      detail: 'NVIDIA_VISIBLE_DEVICES is void: the pod asks for no nvidia.com/gpu',
    })
  })

  it('"no GPUs found": tells what shows in a pod of its limits', () => {
    const pod = {...BARE, container: 'kubernetes'} as const
    const limit = (seen: Surroundings, nvml: NvmlProbe = NO_LIBRARY): Check =>
      judged(seen, nvml).get('pod-gpu-limit')!
    expect(limit(pod, WELL)).to.include({status: 'ok', detail: 'the pod has 1 GPU'})
    expect(limit({...pod, visibleDevices: 'GPU-1'})).to.include({status: 'ok'})
    expect(limit({...pod, nodes: NODES})).to.include({status: 'ok'})
    expect(limit(pod)).to.include({status: 'warn'})
    expect(limit(pod).fix).to.contain('nvidia.com/gpu')
  })

  it('fails on a machine whose driver finds no GPU', () => {
    expect(judged(MACHINE, {...WELL, gpus: [], count: 0}).get('gpus')).to.include({status: 'fail'})
  })

  it('"High latency": names calls above 10 ms by their median, and takes the start for no such call', () => {
    const slow = {call: 'nvmlDeviceGetMemoryInfo_v2', count: 3, medianMs: 12.345, worstMs: 40}
    const spike = {call: 'nvmlDeviceGetFanSpeed', count: 3, medianMs: 0.2, worstMs: 80}
    const check = judged(MACHINE, {...WELL, calls: [slow, spike, ...WELL.calls]}).get('nvml-latency')!
    expect(check).to.include({status: 'warn', detail: 'above 10 ms: nvmlDeviceGetMemoryInfo_v2 12.35 ms'})
    expect(check.fix).to.contain('driver').and.contain('ask less often')
  })

  it('names the call from which a driver does not come back, and the GPU', () => {
    const stuck = {...WELL, count: 2, calls: [], stuckIn: 'nvmlDeviceGetTemperature'}
    const checks = judged(MACHINE, stuck)
    expect(checks.get('gpu 0')).to.include({status: 'ok'})
    expect(checks.get('gpu 1')).to.include({
      status: 'fail',
      detail: 'the driver does not come back from nvmlDeviceGetTemperature',
    })
    expect(checks.get('nvml-latency')).to.include({status: 'fail'})
  })

  for (const [what, more, status, says] of [
    ['lost', {state: 'lost'}, 'fail', /fell off the bus/],
    ['asleep', {state: 'asleep'}, 'ok', /asleep/],
    ['failed', {state: 'failed'}, 'fail', /cannot be read/],
    ['with bad rows', {hasRowRemapFailed: true}, 'fail', /bad memory rows/],
    ['with rows to replace', {isRowRemapPending: true}, 'warn', /waits to be replaced/],
    ['to be reset', {recoveryAction: 'drain_and_reset'}, 'warn', /drain_and_reset/],
    ['with memory errors', {eccUncorrected: 2}, 'warn', /2 uncorrected/],
    [
      'that is hot',
      {throttleReasons: ['idle', 'hardware_thermal']},
      'warn',
      /slowed down: hardware_thermal$/,
    ],
    ['that idles', {throttleReasons: ['idle', 'software_power_cap']}, 'ok', /H100/],
    ['that is prohibited', {computeMode: 'prohibited'}, 'fail', /prohibited/],
    ['in MIG mode', {isMigEnabled: true}, 'ok', /in MIG mode/],
  ] as const) {
    it(`judges a GPU ${what}`, () => {
      const check = judged(MACHINE, {...WELL, gpus: [gpu(0, more)]}).get('gpu 0')!
      expect(check.status).to.equal(status)
      expect(check.detail).to.match(says)
      expect(check.fix === null).to.equal(status === 'ok')
    })
  }

  it('warns that process numbers mean nothing in a container of their own, where there is a GPU', () => {
    const pod = {...MACHINE, container: 'kubernetes', seesHostPids: false} as const
    expect(judged(pod, WELL).get('pid-namespace')).to.include({
      status: 'warn',
      fix: 'hostPID: true in the pod’s spec',
    })
    expect(judged({...pod, container: 'other'}, WELL).get('pid-namespace')!.fix).to.equal(
      'docker run --pid=host',
    )
    expect(judged({...BARE, seesHostPids: false}, NO_LIBRARY).get('pid-namespace')!.status).to.equal(
      'skipped',
    )
  })

  for (const [status, does] of [
    [34, 'stub'],
    [46, 'nvidia-smi -c DEFAULT'],
    [100, 'CUDA_VISIBLE_DEVICES'],
    [802, 'nvidia-fabricmanager'],
    [803, 'reload the kernel module'],
    [999, 'dmesg'],
  ] as const) {
    it(`says what to do when cuInit gives ${status}`, () => {
      const cuda = {...CUDA, state: 'failed', status, problem: `cuInit: ${status}`, devices: []} as const
      expect(judged(MACHINE, WELL, cuda).get('cuda-library')).to.include({status: 'fail'})
      expect(judged(MACHINE, WELL, cuda).get('cuda-library')!.fix).to.contain(does)
    })
  }

  it('fails when NVML is here and libcuda is not, hangs or crashes; warns without virtual memory', () => {
    const cuda = (look: CudaLook, seen = MACHINE): Check => judged(seen, WELL, look).get('cuda-library')!
    expect(cuda(NO_CUDA)).to.include({status: 'fail'})
    expect(cuda(NO_CUDA, {...MACHINE, container: 'other'}).fix).to.contain(
      'NVIDIA_DRIVER_CAPABILITIES=compute,utility',
    )
    expect(cuda({...NO_CUDA, state: 'hung', problem: 'cuInit'}).detail).to.equal(
      'libcuda does not come back from cuInit',
    )
    expect(cuda({...NO_CUDA, state: 'crashed', problem: 'cuInit'}).status).to.equal('fail')
    const old = {...CUDA, devices: [{...CUDA.devices[0]!, hasVirtualMemory: false}]}
    expect(cuda(old)).to.include({status: 'warn'})
  })

  it('gives every finding that is not ok something to do', () => {
    for (const seen of [
      MACHINE,
      {...MACHINE, container: 'other'} as const,
      {...BARE, container: 'kubernetes'} as const,
    ])
      for (const nvml of [WELL, NO_LIBRARY, troubled('hung', 'x'), {...WELL, count: 0, gpus: []}])
        for (const check of judgeDriver(seen, nvml, NO_CUDA))
          if (check.status === 'fail' || check.status === 'warn') expect(check.fix, check.name).to.match(/\S/)
  })
})
