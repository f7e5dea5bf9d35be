/** A process with memory on one GPU, in the shape of Blackbox and with what kvctl adds. */
export interface VramProcess {
  readonly pid: number
  /** The kernel's, cut at 15 characters; `unknown` where it cannot be read. */
  readonly name: string
  readonly used_bytes: number
  /** The same number again, as Blackbox has it. */
  readonly reserved_bytes: number
  readonly gpu_index: number
  readonly gpu_uuid: string | null
  /** C compute, G graphics, M MPS; several joined by `+`. */
  readonly type: string
  readonly command: string | null
  readonly user_id: number | null
  readonly container_id: string | null
  readonly pod_uid: string | null
  readonly segment: string | null
  /** Such as `vllm engine_core`. */
  readonly engine_role: string | null
  /** Why a figure above is 0 or null. */
  readonly unavailable: Readonly<Record<string, string>>
}

/** Never fed by Blackbox, which keeps the array for its shape. */
export interface VramThread {
  readonly thread_id: number
  readonly allocated_bytes: number
  readonly state: 'active' | 'running' | 'waiting'
}

export interface VramBlock {
  readonly block_id: number
  /** Engines tell none. */
  readonly address: 0
  readonly size: number
  readonly type: 'kv_cache'
  readonly allocated: true
  readonly utilized: boolean
}

/** Counters of Nsight Compute, all 0 where a process was not started under it. */
export interface NsightMetrics {
  readonly atomic_operations: number
  readonly threads_per_block: number
  readonly occupancy: number
  readonly active_blocks: number
  readonly memory_throughput: number
  readonly dram_read_bytes: number
  readonly dram_write_bytes: number
  readonly available: boolean
  readonly reason: string
}

export interface MemoryPartJson {
  readonly bytes: number | null
  readonly basis: 'measured' | 'derived' | null
  readonly from: string
}

export interface VramDevice {
  readonly index: number
  readonly uuid: string | null
  readonly name: string | null
  /** Whether this is a part of a GPU in MIG mode. */
  readonly mig: boolean
  readonly state: string
  readonly total_bytes: number | null
  /** With what the driver reserves. */
  readonly used_bytes: number | null
  readonly free_bytes: number | null
  /** The same as used, as at the top. */
  readonly reserved_bytes: number | null
  /** Without it: what nvidia-smi shows. */
  readonly program_used_bytes: number | null
  readonly driver_reserved_bytes: number | null
  readonly utilization_percent: number | null
  readonly temperature_c: number | null
  readonly power_draw_w: number | null
  /** What the driver enforces. */
  readonly enforced_power_limit_w: number | null
  /** Why clocks are below their maximum. */
  readonly throttle_reasons: readonly string[] | null
  /** The last fault that the GPU reported; null without one. */
  readonly xid: number | null
  /** Who holds the memory; null for a MIG device. */
  readonly memory: {
    readonly engines: readonly {readonly url: string; readonly bytes: number}[]
    readonly other_processes: MemoryPartJson
    readonly driver_reserved: MemoryPartJson
    readonly unattributed: MemoryPartJson
  } | null
  readonly mig_devices: readonly {
    readonly index: number
    readonly uuid: string | null
    readonly name: string | null
    readonly total_bytes: number | null
    readonly used_bytes: number | null
    readonly free_bytes: number | null
  }[]
  readonly unavailable: Readonly<Record<string, string>>
}

export interface VramEngine {
  readonly url: string
  readonly source: 'configured' | 'default' | 'listening'
  readonly state: 'ok' | 'unreachable' | 'silent'
  readonly kind: 'vllm' | 'sglang' | 'kvctl' | null
  readonly model: string | null
  readonly segment: string | null
  /** Of its processes, those with memory on a GPU. */
  readonly pids: readonly number[]
  readonly gpus: readonly number[]
  /** When its figures were read. */
  readonly time: string | null
  readonly allocated_blocks: number | null
  readonly utilized_blocks: number | null
  /** Unreferenced, their content kept. */
  readonly cached_free_blocks: number | null
  readonly block_tokens: number | null
  readonly block_bytes: number | null
  readonly block_bytes_source: 'engine' | 'model_config' | 'model_table' | null
  readonly asleep: boolean | null
  /** Share of its KV blocks that requests hold, 0–100. */
  readonly kv_usage_percent: number | null
  readonly requests_running: number | null
  readonly requests_waiting: number | null
  /** Since its start, 0–100. */
  readonly prefix_cache_hit_percent: number | null
  /** Counters since its start. */
  readonly preemptions: number | null
  readonly prompt_tokens: number | null
  readonly generation_tokens: number | null
  /** Requests whose first token came, and the seconds that all of them waited for it. */
  readonly first_tokens: number | null
  readonly first_token_seconds: number | null
  readonly memory: {
    readonly total: MemoryPartJson
    readonly weights_and_runtime: MemoryPartJson
    readonly kv_reserved: MemoryPartJson
    readonly kv_used: MemoryPartJson
    readonly kv_cached_free: MemoryPartJson
    readonly kv_free: MemoryPartJson
  }
}

export interface VramWarning {
  readonly code: string
  readonly message: string
}

/**
 * Blackbox's document, its keys first and in its order, then ours. Its own fields are numbers whatever happens: what is
 * unknown is 0 there, with the reason in `unavailable`.
 *
 * @see maxdcmn/blackbox:blackbox-server/docs/API.md
 */
export interface VramDocument {
  readonly total_bytes: number
  readonly used_bytes: number
  readonly free_bytes: number
  readonly reserved_bytes: number
  readonly used_percent: number
  readonly allocated_blocks: number
  readonly utilized_blocks: number
  readonly free_blocks: number
  readonly atomic_allocations_bytes: number
  readonly fragmentation_ratio: number
  readonly processes: readonly VramProcess[]
  readonly threads: readonly VramThread[]
  readonly blocks: readonly VramBlock[]
  readonly nsight_metrics: Readonly<Record<string, NsightMetrics>>
  readonly time: string
  readonly block_size_source: string | null
  readonly devices: readonly VramDevice[]
  readonly engines: readonly VramEngine[]
  readonly unavailable: Readonly<Record<string, string>>
  readonly warnings: readonly VramWarning[]
}

/** What newer revisions of Blackbox answer. @see maxdcmn/blackbox:blackbox-server/src/utils/json_serializer.cpp */
export interface VramDocument2 {
  readonly total_vram_bytes: number
  readonly allocated_vram_bytes: number
  readonly used_kv_cache_bytes: number
  /** 0–100, two decimals. */
  readonly prefix_cache_hit_rate: number
  readonly models: readonly {
    readonly model_id: string
    readonly port: number
    readonly allocated_vram_bytes: number
    readonly used_kv_cache_bytes: number
  }[]
  readonly unavailable: Readonly<Record<string, string>>
  readonly warnings: readonly VramWarning[]
}
