import {copyFileSync, existsSync, mkdtempSync, readFileSync} from 'node:fs'
import {join} from 'node:path'
import {repositoryRoot} from '../cli.js'
import {factsFile, type FactChanges, type Facts} from '../stand-in/facts-file.js'
import {standInCompiler} from '../stand-in/library.js'

export type {Facts} from '../stand-in/facts-file.js'

export const CUDA_HEADER: string = join(repositoryRoot, 'test/support/cuda/cuda-abi.h')
const SOURCE = join(repositoryRoot, 'test/support/cuda/stand-in.c')
const standInLibrary = standInCompiler('libcuda.so.1', SOURCE, 'cu[A-Z]*', ['-lpthread'])

/** What one process holds of the stand-in. */
export interface CudaCounters {
  readonly pid: number
  readonly contexts: number
  /** References to physical memory that were not released. */
  readonly handles: number
  /** Physical memory that is not free yet, mapped or not. */
  readonly physicalBytes: number
  readonly mappedBytes: number
  readonly reservedBytes: number
  readonly pinnedBytes: number
  readonly streams: number
  readonly events: number
  /** Copies and fills that were carried out. */
  readonly copies: number
  /** Calls that wait until a stream or a device has done its work. */
  readonly waits: number
  /** Calls of functions that no program of today may bind. */
  readonly wrongAbiCalls: number
  /** By device: physical memory and contexts. */
  readonly deviceBytes: readonly number[]
}

const NAMES = [
  'pid',
  'contexts',
  'handles',
  'physicalBytes',
  'mappedBytes',
  'reservedBytes',
  'pinnedBytes',
  'streams',
  'events',
  'copies',
  'waits',
  'wrongAbiCalls',
] as const
const GPUS = 16
const SLOT_BYTES = (NAMES.length + GPUS) * 8

/** A stand-in driver whose facts may change while programs use it. */
export interface CudaStandIn {
  readonly library: string
  /** For a program that shall find this driver. */
  readonly env: Readonly<Record<string, string>>
  /** Adds facts, or takes away those given as null. Seen by the next call into the library. */
  change(facts: FactChanges): void
  /** What a process holds now; null when it never called `cuInit` on this driver. */
  counters(pid?: number): CudaCounters | null
  /** Processes that called `cuInit` on this driver, and contexts that they hold or held when they died. */
  history(): {readonly processes: number; readonly contexts: number}
}

/**
 * @param folder a temporary one
 * @param without functions that this driver does not export
 */
export function cudaStandIn(folder: string, facts: Facts = {}, without: readonly string[] = []): CudaStandIn {
  const home = mkdtempSync(join(folder, 'cuda-'))
  // A copy: the loader takes another file for another driver, which knows nothing of the tests before.
  const library = join(home, 'libcuda.so.1')
  copyFileSync(standInLibrary(without), library)
  return {
    library,
    env: {KVCTL_CUDA_PATH: library, KVCTL_TEST_CUDA_FOLDER: home},
    change: factsFile(join(home, 'facts'), facts),
    counters: (pid = process.pid) => readSlots(home).find(slot => slot.pid === pid) ?? null,
    history() {
      const slots = readSlots(home)
      return {processes: slots.length, contexts: slots.reduce((sum, {contexts}) => sum + contexts, 0)}
    },
  }
}

function readSlots(home: string): CudaCounters[] {
  const path = join(home, 'counters')
  if (!existsSync(path)) return []
  const bytes = readFileSync(path)
  const slots = Array.from({length: Math.floor(bytes.length / SLOT_BYTES)}, (_, slot) => {
    const word = (index: number): number => Number(bytes.readBigUInt64LE(slot * SLOT_BYTES + index * 8))
    const named = Object.fromEntries(NAMES.map((name, index) => [name, word(index)]))
    const deviceBytes = Array.from({length: GPUS}, (_, gpu) => word(NAMES.length + gpu))
    return {...named, deviceBytes} as unknown as CudaCounters
  })
  return slots.filter(({pid}) => pid !== 0)
}
