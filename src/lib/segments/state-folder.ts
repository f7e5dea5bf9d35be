import {mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync} from 'node:fs'
import {homedir} from 'node:os'
import {dirname, join} from 'node:path'
import {isSystemError, type Logger} from '../foundation/index.js'
import {folderStamp} from './folder-stamp.js'
import {formatMemory, parseMemory, type StartupMemory} from './startup-memory.js'

/** Where {@link StartupMemory} is kept between commands, one small file a segment. */
export interface MemoryStore {
  readonly load: (name: string) => StartupMemory | null
  /** `load` for many at one moment: what was loaded so before, and has not changed since, is not looked for again. */
  loader(): (name: string) => StartupMemory | null
  /** @param known what `load` gave; nothing is written when nothing changed */
  save(name: string, memory: StartupMemory, known: StartupMemory | null): void
  forget(name: string): void
}

/** `KVCTL_STATE_DIR`, else `XDG_STATE_HOME/kvctl`, else `~/.local/state/kvctl`. */
export function stateFolder(environment: NodeJS.ProcessEnv): string {
  const own = environment['KVCTL_STATE_DIR']
  if (own) return own
  return join(environment['XDG_STATE_HOME'] || join(homedir(), '.local/state'), 'kvctl')
}

/** Losing a memory only makes kvctl more careful, so failures are told at debug level and never thrown. */
export function createMemoryStore(folder: string, logger: Logger): MemoryStore {
  const segments = join(folder, 'segments')
  const pathOf = (name: string): string => `${segments}/${encodeURIComponent(name)}.json`
  const quietly = (what: string, action: () => void): void => {
    try {
      action()
    } catch (error) {
      logger.debug(`cannot ${what}: ${String(error)}`)
    }
  }
  /**
   * What was read last, from which file, and in which state of the folder: who watches many segments loads each of them again
   * and again.
   */
  const read = new Map<string, {file: string; memory: StartupMemory; stamp: string | null}>()
  const load = (name: string, stamp: string | null = null): StartupMemory | null => {
    const last = read.get(name)
    if (stamp !== null && last?.stamp === stamp) return last.memory
    let memory: StartupMemory | null = null
    quietly(`read what is remembered of ${name}`, () => {
      const path = pathOf(name)
      const stats = statSync(path, {throwIfNoEntry: false})
      const file = stats ? `${stats.ino} ${stats.ctimeMs}` : ''
      memory = last?.file === file ? last.memory : stats ? parseMemory(readFileSync(path, 'utf8')) : null
      if (memory === null) read.delete(name)
      else read.set(name, {file, memory, stamp})
    })
    return memory
  }
  return {
    load: name => load(name),
    loader() {
      const stamp = folderStamp(segments)
      return name => load(name, stamp)
    },
    save(name, memory, known) {
      if (memory === known) return
      const text = formatMemory(memory)
      if (known !== null && formatMemory(known) === text) return
      quietly(`remember the start-up total of ${name}`, () => {
        makeFolder(segments)
        const temporary = `${pathOf(name)}.${process.pid}`
        writeFileSync(temporary, text, {mode: 0o600})
        renameSync(temporary, pathOf(name))
      })
    },
    forget(name) {
      quietly(`forget ${name}`, () => rmSync(pathOf(name), {force: true}))
    },
  }
}

/** Not mkdir's `recursive`: below /proc that never returns on Node 20. */
function makeFolder(path: string): void {
  const make = (): void => {
    try {
      mkdirSync(path, {mode: 0o700})
    } catch (error) {
      if (!isSystemError(error, 'EEXIST')) throw error
    }
  }
  try {
    make()
  } catch (error) {
    if (!isSystemError(error, 'ENOENT') || dirname(path) === path) throw error
    makeFolder(dirname(path))
    make()
  }
}
