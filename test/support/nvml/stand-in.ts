import {join} from 'node:path'
import {repositoryRoot} from '../cli.js'
import {factsFile, type FactChanges, type Facts} from '../stand-in/facts-file.js'
import {standInCompiler} from '../stand-in/library.js'

export type {Facts} from '../stand-in/facts-file.js'

export const NVML_HEADER: string = join(repositoryRoot, 'test/support/nvml/nvml-abi.h')
const SOURCE = join(repositoryRoot, 'test/support/nvml/stand-in.c')

/** Compiles the stand-in for `libnvidia-ml.so.1`, once for each set of functions that a driver branch lacks. */
export const standInLibrary = standInCompiler('libnvidia-ml.so.1', SOURCE, 'nvml*')

/** A stand-in driver whose facts may change while programs use it. */
export interface StandInDriver {
  readonly library: string
  /** For a program that shall find this driver. */
  readonly env: Readonly<Record<string, string>>
  /** Adds facts, or takes away those given as null. Seen by the next call into the library. */
  change(facts: FactChanges): void
}

/** @param folder a temporary one, for the file of facts */
export function standInDriver(folder: string, facts: Facts, without: readonly string[] = []): StandInDriver {
  const file = join(folder, 'driver-facts')
  const library = standInLibrary(without)
  return {
    library,
    env: {KVCTL_NVML_PATH: library, KVCTL_TEST_NVML_FILE: file},
    change: factsFile(file, facts),
  }
}
