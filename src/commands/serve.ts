import {KvctlCommand} from '../cli/kvctl-command.js'
import type {ServeConfig} from '../cli/serve-config.js'
import {serveFlags} from '../cli/serve-flags.js'
import {serveSettings} from '../cli/serve-settings.js'
import {untilEnd} from '../cli/until-end.js'
import {packageVersion, systemClock} from '../lib/foundation/index.js'
import type {ListeningApi} from '../server/api-server.js'
import {cacheWorker, segmentStore} from '../wiring.js'

const LIMITS = {maxRequests: 256, maxStreams: 512}
const SEGMENT_INTERVAL_MS = 1000
const SLOW_CLIENT_MS = 60_000

export default class Serve extends KvctlCommand {
  static override summary =
    'serve what kvctl knows over HTTP: segments, the tiered KV cache, health, metrics, OpenAPI'
  static override description = `Families of routes: segments (GET /segments, GET, PUT and DELETE /segments/NAME, GET /segments/stream) system (/health,
/metrics, /api/v1/version, /openapi.json, /docs) and cache (LMCache's worker API over a KV buffer and tiers of its own). Failures are problem documents (RFC 9457). Ctrl-C lets running requests
end. With --json the first line is {"url","pid","listeners"}, and a stdin that is a pipe ends the server when it closes.`
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --api segments --port 0 --json',
    'KVCTL_TOKEN=secret <%= config.bin %> <%= command.id %> --host 0.0.0.0 --listen system=9100',
    '<%= config.bin %> <%= command.id %> --cors-origin http://localhost:3000',
    '<%= config.bin %> <%= command.id %> --config kvctl.yaml',
    '<%= config.bin %> <%= command.id %> --listen cache=7000 --cache-config lmcache.yaml',
  ]
  static override enableJsonFlag = true
  static override flags = serveFlags

  async run(): Promise<void> {
    const {flags} = await this.parse(Serve)
    const file = flags.config === undefined ? {} : await this.#read(flags.config)
    const settings = serveSettings(flags, process.env, file)
    const {planListeners} = await import('../server/plan-listeners.js')
    const listeners = planListeners(settings.port, settings.families, settings.listen)
    const {socketPath} = settings.cache
    if (socketPath !== null) listeners.push({port: 0, socketPath, families: ['cache']})
    const {signal, logger} = this
    const {createApiContext} = await import('../server/api-context.js')
    const {serveApi} = await import('../server/api-server.js')
    const cache = settings.families.includes('cache') ? await cacheWorker(settings.cache, logger) : null
    const context = createApiContext({
      segments: await segmentStore(logger),
      cache: cache?.worker ?? null,
      cacheFigures: cache?.figures ?? null,
      clock: systemClock,
      logger,
      version: packageVersion,
      limits: LIMITS,
      segmentIntervalMs: SEGMENT_INTERVAL_MS,
      slowClientMs: SLOW_CLIENT_MS,
    })
    const {token, isOpen, corsOrigins} = settings
    try {
      const api = await serveApi(context, settings.host, listeners, {
        token,
        isForThisMachine: token === null && !isOpen,
        corsOrigins,
      })
      this.#announce(api)
      await untilEnd(signal, this.jsonEnabled() ? process.stdin : null)
      await api.close(settings.drainMs)
    } finally {
      await cache?.close()
    }
  }

  async #read(path: string): Promise<ServeConfig> {
    const {readServeConfig} = await import('../cli/serve-config.js')
    return readServeConfig(path)
  }

  #announce({listeners}: ListeningApi): void {
    const {url, families} = listeners[0]!
    if (this.jsonEnabled()) {
      this.logJsonLine({url, pid: process.pid, listeners})
      return
    }
    this.log(`kvctl ${packageVersion} serves`)
    for (const {url, families} of listeners) this.log(`  ${url}  ${families.join(', ')}`)
    this.log('\nTry')
    if (families.includes('segments')) this.log(`  curl ${url}/segments`)
    if (families.includes('cache')) this.log(`  curl -X POST '${url}/cache/store?tokens_mock=0,1024'`)
    if (families.includes('system')) this.log(`  ${url}/docs in a browser`)
    this.log('\nCtrl-C ends it.')
  }
}
