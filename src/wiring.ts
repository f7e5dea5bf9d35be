import type {Balancer} from './lib/balance/index.js'
import type {BenchParts} from './lib/bench/index.js'
import type {BenchJobs} from './lib/jobs/index.js'
import type {DoctorParts} from './lib/doctor/index.js'
import type {KvDevice} from './lib/elastic/index.js'
import type {Engine} from './lib/engine/index.js'
import type {Logger} from './lib/foundation/index.js'
import type {GpuSampler, ProbeOrder, ProbeReport} from './lib/gpu/index.js'
import type {Device, PageReserve} from './lib/memory/index.js'
import type {BalanceConfig, ControllerConfig, Router} from './lib/router/index.js'
import type {Cluster, Kubectl} from './lib/kube/index.js'
import type {LaunchParts} from './lib/launch/index.js'
import type {Machine} from './lib/machine/index.js'
import type {HttpClient} from './lib/http/index.js'
import type {HostWatch, MachineWithSides, MonitorActions, RemoteServer} from './lib/monitor/index.js'
import type {SegmentStore} from './lib/segments/index.js'
import type {CacheFigures, CacheWorker, RemoteWorkers} from './lib/tiers/index.js'
import type {Tokenizer} from './lib/tokens/index.js'
import type {EngineSettings} from './server/engine-settings.js'

/**
 * The only file that builds real parts: one async function a part, each loading what it needs on first call, so that
 * `kvctl list` never pays for the engine and nothing pays for koffi at import.
 */

/** kvcached's segments in /dev/shm, or in `KVCTL_SHM_DIR` where a sidecar mounts that folder elsewhere. */
export async function segmentStore(logger: Logger): Promise<SegmentStore> {
  const {systemClock} = await import('./lib/foundation/index.js')
  const {createMemoryStore, createSegmentStore, SEGMENT_DIRECTORY, stateFolder} =
    await import('./lib/segments/index.js')
  const {libc} = await import('./native/libc.js')
  return createSegmentStore({
    directory: process.env['KVCTL_SHM_DIR'] || SEGMENT_DIRECTORY,
    libc,
    clock: systemClock,
    logger,
    memories: createMemoryStore(stateFolder(process.env), logger),
    readPatienceMs: 250,
    lockTimeoutMs: 10_000,
  })
}

/** How long a driver is waited for. */
export const DRIVER_PATIENCE_MS = 5000

/** GPUs as the NVIDIA driver shows them, from a process of its own; `close` ends that. */
export async function gpuSampler(): Promise<GpuSampler> {
  const {systemClock} = await import('./lib/foundation/index.js')
  const {createGpuSampler, gpuProcessPath} = await import('./lib/gpu/index.js')
  const {startWorker} = await import('./lib/processes/index.js')
  return createGpuSampler({
    startProcess: () => startWorker(gpuProcessPath),
    clock: systemClock,
    libraryPath: process.env['KVCTL_NVML_PATH'] || null,
    pciFolder: '/sys/bus/pci/devices',
    patienceMs: DRIVER_PATIENCE_MS,
    healthMs: 5000,
    retryMs: 30_000,
  })
}

/**
 * What `kvctl doctor` looks with; the caller closes `http`. Drivers are asked in processes that end with it.
 *
 * @param timeoutMs for all of it, start and end included
 */
export async function doctorParts(logger: Logger, timeoutMs: number): Promise<DoctorParts> {
  const {driverProbePath, probeCuda, probeNvml} = await import('./lib/gpu/index.js')
  const {createHttpClient} = await import('./lib/http/index.js')
  const {startWorker} = await import('./lib/processes/index.js')
  const {SEGMENT_DIRECTORY} = await import('./lib/segments/index.js')
  const probe = {
    startProcess: () => startWorker<ProbeOrder, ProbeReport>(driverProbePath),
    patienceMs: timeoutMs - 1500,
  }
  return {
    root: '/',
    environment: process.env,
    probeNvml: signal => probeNvml({...probe, signal, libraryPath: process.env['KVCTL_NVML_PATH'] || null}),
    probeCuda: signal => probeCuda({...probe, signal, libraryPath: process.env['KVCTL_CUDA_PATH'] || null}),
    loadNative: async () => {
      const {libc} = await import('./native/libc.js')
      libc.close(libc.open('/dev/null', 0))
    },
    segments: () => segmentStore(logger),
    segmentFolder: process.env['KVCTL_SHM_DIR'] || SEGMENT_DIRECTORY,
    http: createHttpClient({timeoutMs: 2000}),
    limitMs: timeoutMs - 500,
  }
}

/** Who a process on a GPU is seldom changes, and asking costs as much as all GPUs. */
const IDENTITY_AGE_MS = 5000

/**
 * GPUs, segments and engines of this host as one; `close` gives back what it holds.
 *
 * @param engineUrls where engines are; none looks for them
 */
export async function machine(
  engineUrls: readonly string[],
  logger: Logger,
): Promise<Machine & {readonly sampler: GpuSampler; readonly segments: SegmentStore}> {
  const {systemClock} = await import('./lib/foundation/index.js')
  const {createHttpClient} = await import('./lib/http/index.js')
  const {createEngineWatch, createMachine} = await import('./lib/machine/index.js')
  const {createIdentityWatch} = await import('./lib/processes/index.js')
  const http = createHttpClient()
  const [sampler, segments] = await Promise.all([gpuSampler(), segmentStore(logger)])
  const engines = createEngineWatch({configured: engineUrls, http, clock: systemClock, procFolder: '/proc'})
  const identities = createIdentityWatch(systemClock, '/proc', IDENTITY_AGE_MS)
  const machine = createMachine({sampler, segments, engines, identities, logger})
  return {
    ...machine,
    ...{sampler, segments},
    close() {
      machine.close()
      void http.close()
    },
  }
}

/** The embedded engine on real memory and the real clock, with the tokenizer it was built for. */
export async function embeddedEngine(
  settings: EngineSettings,
  {segment, device}: {readonly segment: string | null; readonly device: Device},
  logger: Logger,
): Promise<{engine: Engine; tokenizer: Tokenizer}> {
  const {systemClock} = await import('./lib/foundation/index.js')
  const {createEngine, defaultEngineOptions} = await import('./lib/engine/index.js')
  const {createBuiltinTokenizer} = await import('./lib/tokens/index.js')
  const tokenizer = createBuiltinTokenizer()
  const engine = await createEngine({
    ...defaultEngineOptions(tokenizer.vocabulary, systemClock, logger),
    ...settings.engine,
    // A request writes and reads about 8 KiB a step.
    reserve: await pageReserve(device, 4 * 2 ** 20),
    segment: segment === null ? null : {store: await segmentStore(logger), name: segment},
  })
  return {engine, tokenizer}
}

/** The balancer of segment limits, with connections of its own that `close` ends. */
export async function balancerFor(
  config: BalanceConfig,
  logger: Logger,
): Promise<Balancer & {close(): Promise<void>}> {
  const {Balancer} = await import('./lib/balance/index.js')
  const {systemClock} = await import('./lib/foundation/index.js')
  const {createHttpClient} = await import('./lib/http/index.js')
  const http = createHttpClient()
  const segments = await segmentStore(logger)
  const balancer = new Balancer({segments, http, clock: systemClock, logger}, config)
  return Object.assign(balancer, {close: () => http.close()})
}

/** The router over its own connections. */
export async function routerFor(config: ControllerConfig, logger: Logger): Promise<Router> {
  const {systemClock} = await import('./lib/foundation/index.js')
  const {createHttpClient, createRelayPool} = await import('./lib/http/index.js')
  const {Router} = await import('./lib/router/index.js')
  return new Router(config, {
    http: createHttpClient(),
    createPool: createRelayPool,
    clock: systemClock,
    logger,
  })
}

/**
 * What `kvctl launch` starts programs with; `close` ends its connections. Programs end with this process even where it is
 * killed: another one sees to it.
 *
 * @param stopMs between SIGTERM and SIGKILL in that case
 */
export async function launchParts(
  logger: Logger,
  stopMs: number,
): Promise<LaunchParts & {close(): Promise<void>}> {
  const {systemClock} = await import('./lib/foundation/index.js')
  const {createHttpClient} = await import('./lib/http/index.js')
  const {checkHealth} = await import('./lib/inference/index.js')
  const {engineSegments} = await import('./lib/launch/index.js')
  const {startGroupGuard, startProgram, whoListens} = await import('./lib/processes/index.js')
  const http = createHttpClient()
  const segments = engineSegments(await segmentStore(logger))
  const guard = startGroupGuard()
  return {
    start({file, args, env}, onLine) {
      const program = startProgram(file, args, {env, onLine})
      const {pid} = program
      guard.watch(pid, stopMs)
      void program.ended.then(() => guard.forget(pid))
      return program
    },
    isHealthy: url => checkHealth(http, url, null),
    clearSegment: (command, pid) => segments.clear(command, pid),
    findSegment: (command, pid) => segments.find(command, pid),
    whoListens,
    clock: systemClock,
    async close() {
      await Promise.all([guard.close(), http.close()])
    },
  }
}

/** The cluster of the kubeconfig, through the `kubectl` of PATH. */
export async function kubernetesCluster(context: string | null): Promise<Cluster> {
  const {createCluster} = await import('./lib/kube/index.js')
  const {followProgram, runCaptured, startProgram} = await import('./lib/processes/index.js')
  const kubectl: Kubectl = {
    run: async (args, options) => runCaptured('kubectl', args, options),
    follow: async (args, options) => followProgram('kubectl', args, options),
    start: args => startProgram('kubectl', args),
  }
  return createCluster(kubectl, context)
}

/** A device for KV memory of the library. @throws ResourceError `CUDA_UNAVAILABLE` */
export async function openKvDevice(device: Device): Promise<KvDevice> {
  const {totalmem} = await import('node:os')
  const {cudaMemoryBytes, openCudaDriver} = await import('./lib/memory/index.js')
  const reserve = await pageReserve(device, 2 ** 20)
  if (device.kind === 'cpu') return {name: 'cpu', memoryBytes: totalmem(), reserve}
  const driver = openCudaDriver(process.env['KVCTL_CUDA_PATH'] || null)
  return {name: `cuda:${device.ordinal}`, memoryBytes: cudaMemoryBytes(driver, device.ordinal), reserve}
}

/**
 * Addresses for pages on a device. `KVCTL_CUDA_PATH` names another CUDA driver than the system's.
 *
 * @param stagingBytes of each range, through which a GPU's bytes go
 */
async function pageReserve(device: Device, stagingBytes: number): Promise<PageReserve> {
  const {openCudaDriver, reserveCudaMemory, reserveHostMemory} = await import('./lib/memory/index.js')
  if (device.kind === 'cpu') return pages => reserveHostMemory({...pages, name: 'kvctl-kv-cache'})
  const driver = openCudaDriver(process.env['KVCTL_CUDA_PATH'] || null)
  return pages => reserveCudaMemory({...pages, device: device.ordinal, stagingBytes}, driver)
}

/** The name for an engine's segment when the user gave none: kvcached's rule, and never that of a segment in use. */
export async function freeSegmentName(logger: Logger): Promise<string> {
  const {defaultSegmentName, processGroupId} = await import('./lib/segments/index.js')
  const name = defaultSegmentName(process.env, processGroupId)
  if (process.env['KVCACHED_IPC_NAME']) return name
  const taken = (await (await segmentStore(logger)).list()).map(look => look.name)
  return taken.includes(name) ? `${name}_${process.pid}` : name
}

/** The longest that a real worker's answer is waited for: stores and clears of a whole cache take their time. */
const CACHE_ANSWER_MS = 60_000

/**
 * What the cache family answers for: real workers where `urls` names some, else a worker in this process with a KV buffer of
 * its own and the tiers of its settings. `close` ends their writing.
 */
export async function cacheWorker(
  {urls, configPath, allowedPaths}: CacheSource,
  logger: Logger,
): Promise<{readonly worker: CacheWorker; readonly figures: CacheFigures | null; close(): Promise<void>}> {
  if (urls.length > 0) {
    const remote = await remoteCacheWorkers(urls, CACHE_ANSWER_MS, null)
    return {worker: remote.workers, figures: null, close: () => remote.close()}
  }
  const {packageVersion} = await import('./lib/foundation/index.js')
  const {cacheFigures, embeddedCacheWorker, EmbeddedWorker, HostPagedKv, identityOf, loadCacheSettings} =
    await import('./lib/tiers/index.js')
  const settings = await loadCacheSettings(configPath, process.env, logger)
  const identity = identityOf(settings.extraObject)
  const kv = new HostPagedKv(identity)
  const options = {settings, identity, kv, version: packageVersion, allowedPaths, logger, retryMs: 1000}
  const worker = await EmbeddedWorker.open(options)
  return {worker: embeddedCacheWorker(worker), figures: cacheFigures(worker), close: () => worker.close()}
}

/** The tiers behind an engine: from now on it loads prompts from there and stores them. `close` it after the engine. */
export async function engineCacheWorker(
  engine: Engine,
  {
    configPath,
    model,
    blockSize,
  }: {readonly configPath: string; readonly model: string; readonly blockSize: number},
  logger: Logger,
): Promise<{readonly worker: CacheWorker; readonly figures: CacheFigures; close(): Promise<void>}> {
  const {ConfigurationError, packageVersion} = await import('./lib/foundation/index.js')
  const tiers = await import('./lib/tiers/index.js')
  const settings = await tiers.loadCacheSettings(configPath, process.env, logger)
  const chunkTokens = settings.number('chunk_size')
  if (chunkTokens % blockSize !== 0) {
    throw new ConfigurationError(
      'CACHE_CONFIG_INVALID',
      `chunk_size is ${chunkTokens}, no multiple of the engine's blocks of ${blockSize} tokens`,
    )
  }
  const kv = engine.pagedKv
  const asked = tiers.identityOf(settings.extraObject, {...tiers.DEFAULT_IDENTITY, model})
  const worker = await tiers.EmbeddedWorker.open({
    ...{settings, version: packageVersion, allowedPaths: [], logger, retryMs: 1000},
    identity: {...asked, shape: kv.shape, slots: kv.slots, blockSize},
    kv: tiers.readOnlyKv(kv),
  })
  engine.attachTiers(tiers.engineTiers(worker, kv))
  return {
    worker: tiers.embeddedCacheWorker(worker),
    figures: tiers.cacheFigures(worker),
    close: () => worker.close(),
  }
}

interface CacheSource {
  readonly urls: readonly string[]
  readonly configPath: string | null
  readonly allowedPaths: readonly string[]
}

/** Clients of real cache workers. */
export async function remoteCacheWorkers(
  urls: readonly string[],
  timeoutMs: number,
  token: string | null,
): Promise<{readonly workers: RemoteWorkers; close(): Promise<void>}> {
  const {createHttpClient} = await import('./lib/http/index.js')
  const {RemoteWorkers} = await import('./lib/tiers/index.js')
  const http = createHttpClient({timeoutMs})
  return {workers: new RemoteWorkers({urls, http, timeoutMs, token}), close: () => http.close()}
}

/**
 * The parts of a benchmark. `close` gives back what they hold.
 *
 * @param outputDir the run directory; null makes one below `KVMINI_OUTPUT_DIR`, else `runs`
 */
export async function benchParts(
  logger: Logger,
  {outputDir, isInsecure}: {outputDir: string | null; isInsecure: boolean},
): Promise<BenchParts & {readonly segments: SegmentStore; close(): Promise<void>}> {
  const {knownServerPath, loadWorkerPath} = await import('./lib/bench/index.js')
  const {systemClock} = await import('./lib/foundation/index.js')
  const {createHttpClient} = await import('./lib/http/index.js')
  const {startEmbeddedEngine} = await import('./lib/inference/index.js')
  const {startWorker} = await import('./lib/processes/index.js')
  const {claimRunDirectory, createRunDirectory} = await import('./lib/runs/index.js')
  const http = createHttpClient({isInsecure})
  return {
    http,
    clock: systemClock,
    logger,
    segments: await segmentStore(logger),
    gpus: gpuSampler,
    startLoadProcess: () => startWorker(loadWorkerPath),
    startKnownServer: () => startWorker(knownServerPath),
    startEngine: startEmbeddedEngine,
    createRunDirectory: () =>
      outputDir === null
        ? createRunDirectory(process.env['KVMINI_OUTPUT_DIR'] || 'runs', new Date())
        : claimRunDirectory(outputDir),
    close: () => http.close(),
  }
}

/** Benchmarks for `kvctl serve`, each in a process of its own. @throws ResourceError when the folder cannot be read or written */
export async function benchJobs(
  {folder, targets}: {readonly folder: string; readonly targets: readonly string[]},
  logger: Logger,
): Promise<BenchJobs> {
  const jobs = await import('./lib/jobs/index.js')
  const {startWorker} = await import('./lib/processes/index.js')
  return jobs.BenchJobs.open({
    folder,
    targets,
    logger,
    startProcess: () => startWorker(jobs.benchJobPath),
  })
}

export interface MonitorParts {
  readonly hosts: readonly HostWatch[]
  readonly actions: MonitorActions
  close(): Promise<void>
}

export interface MonitorSources {
  /** The segments to show; none means all. */
  readonly names: readonly string[]
  /** Of `kvctl serve`, to look at in place of this machine. */
  readonly urls: readonly string[]
  /** None looks for engines. */
  readonly engineUrls: readonly string[]
  readonly controllerUrl: string
  readonly cacheUrls: readonly string[]
}

/** What kvtop looks at and acts on. */
export async function monitorParts(logger: Logger, sources: MonitorSources): Promise<MonitorParts> {
  const {names, urls} = sources
  const {systemClock} = await import('./lib/foundation/index.js')
  const {actionsByHost, localActions, remoteActions, watchLocalHost, watchRemoteHost} =
    await import('./lib/monitor/index.js')
  if (urls.length > 0) {
    const {createHttpClient} = await import('./lib/http/index.js')
    const http = createHttpClient()
    const servers = await Promise.all(urls.map(url => remoteServer(url, http)))
    return {
      hosts: servers.map(server => watchRemoteHost(server, names)),
      actions: actionsByHost(new Map(servers.map(server => [server.url, remoteActions(server)]))),
      close: () => http.close(),
    }
  }
  const {hostname} = await import('node:os')
  const host = hostname()
  const segments = await segmentStore(logger)
  const local = localMachine(sources, logger)
  return {
    hosts: [
      watchLocalHost(
        {host, segments, machine: async () => (await local()).machine, clock: systemClock},
        names,
      ),
    ],
    actions: actionsByHost(
      new Map([
        [host, localActions({segments, server: async url => remoteServer(url, (await local()).http)})],
      ]),
    ),
    close: async () => local.close(),
  }
}

interface LocalMachine {
  readonly http: HttpClient
  readonly machine: MachineWithSides
  close(): void
}

async function remoteServer(url: string, http: HttpClient): Promise<RemoteServer> {
  const {systemClock} = await import('./lib/foundation/index.js')
  const token = process.env['KVCTL_TOKEN'] || process.env['KVMINI_TOKEN'] || null
  return {url: url.replace(/\/+$/, ''), token, http, clock: systemClock}
}

/** GPUs, engines and what stands beside them, built when somebody asks: a screen shows segments first. */
function localMachine(
  {engineUrls, controllerUrl, cacheUrls}: MonitorSources,
  logger: Logger,
): (() => Promise<LocalMachine>) & {readonly close: () => void} {
  let building: Promise<LocalMachine> | null = null
  const build = async (): Promise<LocalMachine> => {
    const {createHttpClient} = await import('./lib/http/index.js')
    const {lookAtModels, lookAtTiers, SideWatch} = await import('./lib/monitor/index.js')
    const {systemClock} = await import('./lib/foundation/index.js')
    const http = createHttpClient()
    const host = await machine(engineUrls, logger)
    const controller = await remoteServer(controllerUrl, http)
    const workers = await Promise.all(cacheUrls.map(url => remoteServer(url, http)))
    return {
      http,
      machine: {
        look: (signal, seen) => host.look(signal, seen),
        models: [new SideWatch(() => lookAtModels(controller), systemClock)],
        tiers: workers.map(worker => new SideWatch(() => lookAtTiers(worker), systemClock)),
      },
      close() {
        host.close()
        void http.close()
      },
    }
  }
  // Not waited for: who leaves while it is built leaves at once.
  const close = (): void =>
    void building?.then(
      built => built.close(),
      () => undefined,
    )
  return Object.assign(async () => (building ??= build()), {close})
}
