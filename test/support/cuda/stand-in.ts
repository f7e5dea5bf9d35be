import {execFileSync} from 'node:child_process'
import {copyFileSync, existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {repositoryRoot} from '../cli.js'
import {findProgram} from '../requires.js'

/** Keys and values of the stand-in's facts; `stand-in.c` says what they mean. */
export type CudaFacts = Readonly<Record<string, string | number>>

export const CUDA_HEADER: string = join(repositoryRoot, 'test/support/cuda/cuda-abi.h')
const SOURCE = join(repositoryRoot, 'test/support/cuda/stand-in.c')
const libraries = new Map<string, string>()
let buildFolder: string | null = null

/** Compiles the stand-in for `libcuda.so.1`, once for each set of functions that it shall not export. */
function standInLibrary(without: readonly string[]): string {
  const key = without.join(' ')
  const known = libraries.get(key)
  if (known !== undefined) return known
  if (buildFolder === null) {
    const folder = (buildFolder = mkdtempSync(join(tmpdir(), 'kvctl-cuda-')))
    process.on('exit', () => rmSync(folder, {recursive: true, force: true}))
  }
  const folder = mkdtempSync(join(buildFolder, 'driver-'))
  const library = join(folder, 'libcuda.so.1')
  const symbols = join(folder, 'symbols')
  writeFileSync(symbols, `{ global: cu[A-Z]*; local: ${without.map(name => `${name};`).join(' ')} *; };\n`)
  const flags = ['-shared', '-fPIC', '-O1', '-Wall', '-Wextra', '-Werror', `-Wl,--version-script=${symbols}`]
  execFileSync(findProgram('gcc', 'cc')!, [...flags, '-o', library, SOURCE, '-lpthread'])
  libraries.set(key, library)
  return library
}

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
  change(facts: Readonly<Record<string, string | number | null>>): void
  /** What a process holds now; null when it never called `cuInit` on this driver. */
  counters(pid?: number): CudaCounters | null
  /** Processes that called `cuInit` on this driver, and contexts that they hold or held when they died. */
  history(): {readonly processes: number; readonly contexts: number}
}

/**
 * @param folder a temporary one
 * @param without functions that this driver does not export
 */
export function cudaStandIn(
  folder: string,
  facts: CudaFacts = {},
  without: readonly string[] = [],
): CudaStandIn {
  const home = mkdtempSync(join(folder, 'cuda-'))
  const file = join(home, 'facts')
  const current = new Map<string, string | number>()
  // A copy: the loader takes another file for another driver, which knows nothing of the tests before.
  const library = join(home, 'libcuda.so.1')
  copyFileSync(standInLibrary(without), library)
  const driver: CudaStandIn = {
    library,
    env: {KVCTL_CUDA_PATH: library, KVCTL_TEST_CUDA_FOLDER: home},
    change(changes) {
      for (const [key, value] of Object.entries(changes)) {
        if (value === null) current.delete(key)
        else current.set(key, value)
      }
      // Replaced at once: a reader never sees half of it.
      writeFileSync(`${file}.new`, [...current].map(([key, value]) => `${key} ${value}\n`).join(''))
      renameSync(`${file}.new`, file)
    },
    counters: (pid = process.pid) => readSlots(home).find(slot => slot.pid === pid) ?? null,
    history() {
      const slots = readSlots(home)
      return {processes: slots.length, contexts: slots.reduce((sum, {contexts}) => sum + contexts, 0)}
    },
  }
  driver.change(facts)
  return driver
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
