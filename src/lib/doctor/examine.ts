import {constants} from 'node:fs'
import {access, statfs} from 'node:fs/promises'
import type {CudaLook, NvmlProbe} from '../gpu/index.js'
import type {HttpClient} from '../http/index.js'
import {findEngineAddresses} from '../machine/index.js'
import {findNcu} from '../nsight/index.js'
import {readProcessIdentity, whoListens} from '../processes/index.js'
import {lookAtSegments, pruneSegments, type SegmentStore} from '../segments/index.js'
import {askEngine, askStats} from './ask-servers.js'
import {fail, skipped, type Check} from './check.js'
import {judgeDriver} from './judge-driver.js'
import {judgeKvcachedVariables} from './judge-kvcached.js'
import {judgeSegments, judgeSharedMemory, type SharedMemory} from './judge-memory.js'
import {judgeEngine, judgePort, judgeStats, programOf} from './judge-network.js'
import {judgeNativeCalls, judgeNode, judgeNsight} from './judge-tools.js'
import {readSurroundings, type Places} from './surroundings.js'

export interface DoctorParts extends Places {
  readonly probeNvml: (signal: AbortSignal) => Promise<NvmlProbe>
  readonly probeCuda: (signal: AbortSignal) => Promise<CudaLook>
  /** Loads the foreign function library. @throws what it throws */
  readonly loadNative: () => Promise<void>
  readonly segments: () => Promise<SegmentStore>
  readonly segmentFolder: string
  readonly http: HttpClient
  /** How long each examination may take. */
  readonly limitMs: number
}

export interface DoctorQuestions {
  /** Null looks where engines are used to listen. */
  readonly engineUrls: readonly string[] | null
  /** A server whose GPU figures are to be checked. */
  readonly statsUrl: string | null
  readonly token: string | null
}

/** Ports and who is expected there. */
const PORTS: readonly (readonly [port: number, purpose: string])[] = [
  [6767, 'kvctl serve, Blackbox'],
  [7000, 'LMCache’s worker API'],
  [8000, 'vLLM, kvctl engine'],
  [8080, 'vllm-chill, the benchmark service, kvcached’s router'],
  [30000, 'SGLang'],
]
const ENGINE_PORTS = [8000, 30000]
const VLLM = 'http://localhost:8000'

/**
 * Looks at everything at the same time, each within its limit, and judges it. Changes nothing and makes no CUDA context.
 *
 * @returns findings in the order in which a reader should fix them
 * @throws only the signal's reason
 */
export async function examine(
  parts: DoctorParts,
  questions: DoctorQuestions,
  signal: AbortSignal,
): Promise<Check[]> {
  const {environment, root, http, limitMs} = parts
  const within = async (name: string, look: () => Promise<readonly Check[]>): Promise<readonly Check[]> =>
    bounded(name, limitMs, signal, look)
  const groups = await Promise.all([
    within('node', async () => [
      judgeNode(process.versions.node),
      judgeNativeCalls(await problemOf(parts.loadNative)),
    ]),
    within('driver', async () =>
      judgeDriver(
        ...(await Promise.all([readSurroundings(parts), parts.probeNvml(signal), parts.probeCuda(signal)])),
      ),
    ),
    within('cached-sample', async () => {
      const {statsUrl, token} = questions
      if (statsUrl === null) return [skipped('cached-sample', '--url names a kvctl serve to check')]
      return [judgeStats(await askStats(http, statsUrl, token, signal))]
    }),
    within('shared-memory', async () => [judgeSharedMemory(await readSharedMemory(parts.segmentFolder))]),
    within('segments', async () => {
      const store = await parts.segments()
      const {looks} = await lookAtSegments(store, [])
      return [judgeSegments(looks, await pruneSegments(store, {isDryRun: true, signal}))]
    }),
    within('kvcached-variables', async () => judgeKvcachedVariables(environment)),
    within('ports', async () => examinePorts(`${root}/proc`)),
    within('engines', async () => {
      const urls = questions.engineUrls ?? (await likelyEngines(await parts.segments(), `${root}/proc`))
      const sights = urls.map(async url => askEngine(http, url, questions.engineUrls !== null, signal))
      return (await Promise.all(sights)).map(judgeEngine)
    }),
    within('nsight-compute', async () => {
      const [path, {isProfilingRestricted}] = await Promise.all([
        findNcu(environment, root),
        readSurroundings(parts),
      ])
      const isRestricted = isProfilingRestricted === true && process.getuid?.() !== 0
      return [judgeNsight({path, isRestricted})]
    }),
  ])
  return groups.flat()
}

async function problemOf(load: () => Promise<void>): Promise<string | null> {
  try {
    await load()
    return null
  } catch (error) {
    return (error as Error).message.split('\n')[0]!
  }
}

async function examinePorts(procFolder: string): Promise<Check[]> {
  const listening = await whoListens(
    PORTS.map(([port]) => port),
    procFolder,
  )
  return Promise.all(
    PORTS.map(async ([port, purpose]) => {
      const found = listening.find(one => one.port === port)
      if (!found) return judgePort({port, purpose, listener: null})
      const identity = found.pid === null ? null : await readProcessIdentity(found.pid, procFolder)
      const command = identity?.command ?? identity?.name ?? null
      return judgePort({port, purpose, listener: {pid: found.pid, command: command && programOf(command)}})
    }),
  )
}

/** Who listens where engines do by default, and where the owners of segments listen; vLLM's default where nobody does. */
async function likelyEngines(store: SegmentStore, procFolder: string): Promise<string[]> {
  const {looks} = await lookAtSegments(store, [])
  const [found, owners] = await Promise.all([
    whoListens(ENGINE_PORTS, procFolder),
    findEngineAddresses({configured: [], pids: looks.flatMap(({state}) => state.pid ?? []), procFolder}),
  ])
  const usual = found.map(({port}) => `http://localhost:${port}`)
  const own = owners.filter(
    ({url, source}) => source === 'listening' && !usual.some(one => isSamePort(one, url)),
  )
  const urls = [...usual, ...own.map(({url}) => url)]
  return urls.length === 0 ? [VLLM] : urls
}

function isSamePort(one: string, other: string): boolean {
  return new URL(one).port === new URL(other).port
}

async function readSharedMemory(folder: string): Promise<SharedMemory> {
  try {
    const {bsize, blocks, bavail} = await statfs(folder)
    const isWritable = await access(folder, constants.W_OK).then(
      () => true,
      () => false,
    )
    return {folder, totalBytes: blocks * bsize, freeBytes: bavail * bsize, isWritable, problem: null}
  } catch (error) {
    return {folder, totalBytes: null, freeBytes: null, isWritable: false, problem: (error as Error).message}
  }
}

/** One examination that fails or hangs is a finding, and takes no other along. */
async function bounded(
  name: string,
  limitMs: number,
  signal: AbortSignal,
  look: () => Promise<readonly Check[]>,
): Promise<readonly Check[]> {
  signal.throwIfAborted()
  const over = new AbortController()
  const late = new Promise<readonly Check[]>((resolve, reject) => {
    const timer = setTimeout(() => {
      resolve([
        fail(
          name,
          `could not be examined within ${limitMs} ms`,
          'look at what hangs: ps -eo pid,stat,wchan,args | grep " D"',
        ),
      ])
    }, limitMs)
    over.signal.addEventListener('abort', () => clearTimeout(timer))
    signal.addEventListener('abort', () => reject(signal.reason as Error), {signal: over.signal})
  })
  try {
    return await Promise.race([look(), late])
  } catch (error) {
    signal.throwIfAborted()
    return [
      fail(name, `could not be examined: ${(error as Error).message}`, 'KVMINI_DEBUG=true kvctl doctor'),
    ]
  } finally {
    over.abort()
  }
}
