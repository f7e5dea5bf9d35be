import {readdir} from 'node:fs/promises'
import type {ValueSource} from './completion.js'

const MODEL_COMMANDS = new Set(['traffic', 'sleep', 'wake'])
const SEGMENT_COMMANDS = new Set(['list', 'limit', 'limit-percent', 'watch', 'delete'])

/** Segments, runs and shipped profiles of this machine, by the name of the argument or flag that takes them. */
export const liveValues: ValueSource = async (command, name) => {
  if (name === 'name' && SEGMENT_COMMANDS.has(command)) return segmentNames()
  if (name === 'model' && MODEL_COMMANDS.has(command)) return routedModels()
  if (name === '--run-dir' && command !== 'bench') return runDirectories()
  if (name === '--profile' || name === 'profile') return profileNames()
  return []
}

async function segmentNames(): Promise<string[]> {
  const [{segmentStore}, {silentLogger}] = await Promise.all([
    import('../wiring/index.js'),
    import('../lib/foundation/index.js'),
  ])
  const store = await segmentStore(silentLogger)
  return (await store.list()).map(({name}) => name)
}

/** Of the controller on this machine, or at `KVCTL_URL`; a shell does not wait for one that is slow. */
async function routedModels(): Promise<string[]> {
  const [{createHttpClient}, {createControllerClient}] = await Promise.all([
    import('../lib/http/index.js'),
    import('../lib/router/index.js'),
  ])
  const http = createHttpClient({timeoutMs: 500})
  const url = process.env['KVCTL_URL'] || 'http://127.0.0.1:6767'
  const controller = createControllerClient(
    http,
    url,
    process.env['KVCTL_TOKEN'] || null,
    AbortSignal.timeout(500),
  )
  try {
    return Object.keys((await controller.get<{models: object}>('/models')).models)
  } catch {
    return [] // nobody is there
  } finally {
    await http.close()
  }
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
