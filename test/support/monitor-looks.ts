import type {
  DeviceFigures,
  EngineFigures,
  HostLook,
  ModelFigures,
  TierFigures,
  MonitorLook,
  SegmentFigures,
} from '../../src/lib/monitor/index.js'

const GIB = 2 ** 30
const AT_NOON_MS = Date.UTC(2026, 0, 2, 12)

/** A segment of 40 GiB of which `heldPercent` is held, a tenth of that preallocated. */
export function segmentFigures(
  name: string,
  heldPercent: number,
  more: Partial<SegmentFigures> = {},
): SegmentFigures {
  const heldBytes = (40 * GIB * heldPercent) / 100
  return {
    name,
    limitBytes: 40 * GIB,
    usedBytes: heldBytes * 0.9,
    preallocBytes: heldBytes * 0.1,
    startupBytes: 40 * GIB,
    state: 'live',
    stateReason: 'pid 4242 is an engine under its name',
    pid: 4242,
    owner: 'VLLM::EngineCore',
    warnings: [],
    ...more,
  }
}

export function deviceFigures(index: number, more: Partial<DeviceFigures> = {}): DeviceFigures {
  return {
    index: `${index}`,
    name: 'NVIDIA H100 80GB HBM3',
    uuid: `GPU-${index}`,
    state: 'ok',
    memoryTotalBytes: 80 * GIB,
    memoryUsedBytes: (56 + index) * GIB,
    utilizationPercent: 10 * index,
    temperatureCelsius: 40 + index,
    powerWatts: 300 + index,
    powerLimitWatts: 700,
    throttleReasons: [],
    xid: null,
    ...more,
  }
}

export function engineFigures(port: number, more: Partial<EngineFigures> = {}): EngineFigures {
  return {
    ...{url: `http://127.0.0.1:${port}`, kind: 'vllm', model: 'Qwen/Qwen3-8B', state: 'ok', readAtMs: null},
    ...{running: 12, waiting: 3, kvUsagePercent: 61.4, hitPercent: 38.2, preemptions: 7},
    ...{promptTokensPerSecond: 5210, generationTokensPerSecond: 1432.6, ttftMs: 212.4},
    ...{segment: 'kvcached_vLLM_12345', devices: ['0'], pids: [4242]},
    ...{weightsAndRuntimeBytes: 17 * GIB, kvReservedBytes: 24 * GIB, kvUsedBytes: 11 * GIB},
    kvCachedFreeBytes: 4 * GIB,
    ...more,
  }
}

export function tierFigures(name: string, more: Partial<TierFigures> = {}): TierFigures {
  return {
    ...{name, worker: 'http://127.0.0.1:7000', readAtMs: AT_NOON_MS, degraded: null, bytes: 3 * GIB},
    ...{capacityBytes: 5 * GIB, chunks: 1500, pinnedChunks: 2, evictedChunks: 31, pendingWrites: 4},
    ...{readBytes: 9 * GIB, writeBytes: 12 * GIB, failures: 0, hitPercent: 44.4},
    ...more,
  }
}

export function modelFigures(name: string, more: Partial<ModelFigures> = {}): ModelFigures {
  return {
    ...{name, controller: 'http://127.0.0.1:6767', readAtMs: AT_NOON_MS, phase: 'awake', asleepForMs: null},
    ...{engines: 2, healthyEngines: 2, requests: 1234, failed: 3, requestsPerSecond: 2.5, meanAnswerMs: 1400},
    ...{inFlight: 5, waiting: 1, idleMs: 800},
    ...more,
  }
}

export function hostLook(more: Partial<HostLook> = {}): HostLook {
  const segments = [
    segmentFigures('kvcached_vLLM_12345', 29.4),
    segmentFigures('kvcached_SGLang_777', 93.1, {state: 'idle', pid: 777, owner: 'python -m sglang'}),
    segmentFigures('left-behind', 55, {
      state: 'stale',
      pid: null,
      owner: null,
      stateReason: 'nothing reads it',
    }),
  ]
  return {
    host: 'gpu-box',
    takenAtMs: 0,
    trouble: null,
    segments,
    devices: [
      deviceFigures(0),
      deviceFigures(1, {throttleReasons: ['software_power_cap']}),
      deviceFigures(2, {state: 'lost'}),
    ],
    devicesMissing: null,
    processes: [
      {
        ...{pid: 4242, device: '0', gpuBytes: 41 * GIB, smPercent: 63, name: 'VLLM::EngineCore'},
        ...{command: 'VLLM::EngineCore', userId: 1000, containerId: 'c0ffee00c0ffee00', podUid: null},
        segment: 'kvcached_vLLM_12345',
        ...{engine: 'http://127.0.0.1:8000', model: 'Qwen/Qwen3-8B'},
      },
    ],
    engines: [engineFigures(8000)],
    ...{tiers: [], models: []},
    ...more,
  }
}

/** A look taken `seconds` after 12:00:00 UTC. */
export function monitorLook(seconds = 0, ...hosts: HostLook[]): MonitorLook {
  const takenAtMs = AT_NOON_MS + seconds * 1000
  return {takenAtMs, hosts: hosts.length > 0 ? hosts : [hostLook()]}
}
