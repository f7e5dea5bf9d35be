import {readdir} from 'node:fs/promises'
import type {ValueSource} from './completion.js'

const SEGMENT_COMMANDS = new Set(['list', 'limit', 'limit-percent', 'watch', 'delete'])

/** Segments, runs and shipped profiles of this machine, by the name of the argument or flag that takes them. */
export const liveValues: ValueSource = async (command, name) => {
  if (name === 'name' && SEGMENT_COMMANDS.has(command)) return segmentNames()
  if (name === '--run-dir' && command !== 'bench') return runDirectories()
  if (name === '--profile' || name === 'profile') return profileNames()
  return []
}

async function segmentNames(): Promise<string[]> {
  const [{segmentStore}, {silentLogger}] = await Promise.all([
    import('../wiring.js'),
    import('../lib/foundation/index.js'),
  ])
  const store = await segmentStore(silentLogger)
  return (await store.list()).map(({name}) => name)
}

async function runDirectories(): Promise<string[]> {
  const folder = process.env['KVMINI_OUTPUT_DIR'] || 'runs'
  try {
    return (await readdir(folder)).sort().map(name => `${folder}/${name}`)
  } catch {
    return [] // no runs yet: the shell offers files instead
  }
}

async function profileNames(): Promise<readonly string[]> {
  const {shippedProfiles} = await import('../lib/profiles/index.js')
  return shippedProfiles()
}
