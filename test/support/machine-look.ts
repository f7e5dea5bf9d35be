import type {GpuLook, GpusLook} from '../../src/lib/gpu/index.js'
import {unreadGpu} from '../../src/lib/gpu/gpu-session.js'
import type {KvPool} from '../../src/lib/inference/index.js'
import {engineMemory} from '../../src/lib/machine/engine-memory.js'
import {gpuShares} from '../../src/lib/machine/gpu-shares.js'
import type {GpuTenant, MachineEngine, MachineLook} from '../../src/lib/machine/index.js'

export const DRIVER_OK: GpusLook['driver'] = {
  state: 'ok',
  problem: null,
  driverVersion: '550.163.01',
  nvmlVersion: '12.550.163.01',
  cudaVersion: '12.4',
}

type Gpu = MachineLook['gpus']['gpus'][number]

/** A GPU of which as much is known as a test says. */
export function knownGpu(
  index: number,
  figures: Partial<Omit<GpuLook, 'migDevices' | 'processes'>>,
  processes: Gpu['processes'] = [],
): Gpu {
  const blank = unreadGpu(index, 'ok', 'not_supported')
  const unavailable = Object.fromEntries(
    Object.entries(blank.unavailable).filter(([name]) => !(name in figures) && name !== 'processes'),
  )
  return {...blank, ...figures, processes, migDevices: [], unavailable}
}

export function tenant(pid: number, usedBytes: number | null, more: Partial<GpuTenant> = {}): GpuTenant {
  return {
    ...{pid, kinds: ['compute'], usedBytes, gpuInstanceId: null, computeInstanceId: null, smPercent: null},
    ...{name: 'python3', command: 'python3 serve.py', userId: 1000, startTicks: 1, containerId: null},
    ...{podUid: null, role: null, segment: null, unidentified: null},
    ...more,
  }
}

export function pool(totalBlocks: number | null, usage: number | null, more: Partial<KvPool> = {}): KvPool {
  return {
    ...{core: '0', totalBlocks, blockTokens: 16, usage, cachedFreeBlocks: null, blockBytes: null},
    ...{cacheDtype: 'auto', ...more},
  }
}

export function engine(pools: readonly KvPool[], more: Partial<MachineEngine> = {}): MachineEngine {
  return {
    ...{url: 'http://localhost:8000', source: 'default', state: 'ok', kind: 'vllm', pids: []},
    ...{model: 'm', modelRoot: null, isAsleep: null, figures: null, readAtMs: 1000, segment: null},
    ...{pools, gpuPids: [], gpuIndexes: [], block: null},
    memory: engineMemory({processBytes: null, segment: null, pools, blockBytes: null}),
    ...more,
  }
}

export function machineLook(
  gpus: readonly Gpu[],
  engines: readonly MachineEngine[] = [],
  driver: GpusLook['driver'] = DRIVER_OK,
): MachineLook {
  return {
    takenAtMs: Date.parse('2025-11-09T10:30:45.123Z'),
    gpus: {takenAtMs: Date.parse('2025-11-09T10:30:45.123Z'), tookMs: 1, driver, gpus},
    segments: [],
    engines,
    shares: gpus.map(gpu => gpuShares(gpu, engines)),
  }
}
