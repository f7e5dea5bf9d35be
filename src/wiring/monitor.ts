import {setImmediate} from 'node:timers/promises'
import type {Logger} from '../lib/foundation/index.js'
import type {HttpClient} from '../lib/http/index.js'
import type {HostWatch, MachineWithSides, MonitorActions, RemoteServer} from '../lib/monitor/index.js'
import {segmentStore} from './segments.js'
import {machine} from './machine.js'

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
  const {actionsByHost, localActions, remoteActions, watchLocalHost, watchRemoteHost} =
    await import('../lib/monitor/index.js')
  if (urls.length > 0) {
    const {createHttpClient} = await import('../lib/http/index.js')
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
    hosts: [watchLocalHost({host, segments, machine: async () => (await local()).machine}, names)],
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
  const {systemClock} = await import('../lib/foundation/index.js')
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
    // A piece at a time: keys are heard between them.
    for (const load of [
      async () => import('../lib/http/index.js'),
      async () => import('../lib/processes/index.js'),
      async () => import('../lib/machine/index.js'),
    ]) {
      await load()
      await setImmediate()
    }
    const {createHttpClient} = await import('../lib/http/index.js')
    const {lookAtModels, lookAtTiers, SideWatch} = await import('../lib/monitor/index.js')
    const {systemClock} = await import('../lib/foundation/index.js')
    const http = createHttpClient()
    const host = await machine(engineUrls, logger, 'shown')
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
