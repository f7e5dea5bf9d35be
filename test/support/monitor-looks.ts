import type {DeviceFigures, HostLook, MonitorLook, SegmentFigures} from '../../src/lib/monitor/index.js'

const GIB = 2 ** 30

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
      deviceFigures(1, {throttleReasons: ['sw_power_cap']}),
      deviceFigures(2, {state: 'lost'}),
    ],
    devicesMissing: null,
    processes: [
      {
        ...{pid: 4242, device: '0', gpuBytes: 41 * GIB, smPercent: 63, name: 'VLLM::EngineCore'},
        ...{command: 'VLLM::EngineCore', userId: 1000, containerId: 'c0ffee00c0ffee00', podUid: null},
        segment: 'kvcached_vLLM_12345',
      },
    ],
    ...more,
  }
}

/** A look taken `seconds` after 12:00:00 UTC. */
export function monitorLook(seconds = 0, ...hosts: HostLook[]): MonitorLook {
  const takenAtMs = Date.UTC(2026, 0, 2, 12) + seconds * 1000
  return {takenAtMs, hosts: hosts.length > 0 ? hosts : [hostLook()]}
}
