import {fileVersion, watchConfig} from '../cli/config-watch.js'
import {KvctlCommand} from '../cli/kvctl-command.js'
import {LimitBalancing} from '../cli/limit-balancing.js'
import type {ServeFile} from '../cli/serve-config.js'
import {serveFlags} from '../cli/serve-flags.js'
import {serveSettings, type ServeSettings} from '../cli/serve-settings.js'
import {untilEnd} from '../cli/until-end.js'
import {packageVersion, systemClock} from '../lib/foundation/index.js'
import type {Router} from '../lib/router/index.js'
import type {FamilyName} from '../server/api-families.js'
import type {ListeningApi} from '../server/api-server.js'
import {benchJobs, cacheWorker, machine, routerFor} from '../wiring/index.js'

const LIMITS = {maxRequests: 256, maxProxied: 8192, maxStreams: 512}
const SEGMENT_INTERVAL_MS = 1000
const SLOW_CLIENT_MS = 60_000

export default class Serve extends KvctlCommand {
  static override summary =
    'serve what kvctl knows over HTTP: GPUs, engines, segments, the tiered KV cache, metrics, many models behind one door'
  static override description = `Families of routes: vram (GET /vram, /vram/stream, as Blackbox), stats (GET /proxy/stats, as vllm-chill), segments (GET /segments,
GET, PUT and DELETE /segments/NAME, GET /segments/stream), system (/health, /metrics, /api/v1/version, /openapi.json, /docs), cache
(LMCache's worker API over a KV buffer and tiers of its own) and router (/v1/* to the engines that --config FILE names, /models,
/traffic/stats, /sleep/status, /action/sleep/MODEL) and benchmark (/api/v1/benchmark, /api/v1/status, /api/v1/results, one run at a
time against --bench-url or an engine of its own). Failures are problem documents (RFC 9457), on the routes of vram, stats and
router those of Blackbox, of vllm-chill, and of OpenAI and kvcached's controller, on /api/v1 an envelope of their own. Ctrl-C lets running requests
end. With --json the first line is {"url","pid","listeners"}, and a stdin that is a pipe ends the server when it closes.`
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --api segments --port 0 --json',
    'KVCTL_TOKEN=secret <%= config.bin %> <%= command.id %> --host 0.0.0.0 --listen system=9100',
    '<%= config.bin %> <%= command.id %> --cors-origin http://localhost:3000',
    '<%= config.bin %> <%= command.id %> --listen stats=8080 --engine-url http://localhost:8001',
    '<%= config.bin %> <%= command.id %> --config kvctl.yaml',
    '<%= config.bin %> <%= command.id %> --listen benchmark=8080 --bench-url http://localhost:8000 --output-dir runs',
    '<%= config.bin %> <%= command.id %> --listen cache=7000 --cache-config lmcache.yaml',
  ]
  static override enableJsonFlag = true
  static override flags = serveFlags

  async run(): Promise<void> {
    const {flags} = await this.parse(Serve)
    const version = flags.config === undefined ? null : await fileVersion(flags.config)
    const {options, controller} = await this.#read(flags.config)
    const settings = serveSettings(flags, process.env, options)
    const {planListeners} = await import('../server/plan-listeners.js')
    const listeners = planListeners(settings.port, settings.families, [
      ...settings.listen,
      ...routerListeners(settings, controller.routerPort),
    ])
    const {socketPath} = settings.cache
    if (socketPath !== null) listeners.push({port: 0, socketPath, families: ['cache']})
    const {signal, logger} = this
    const router = await routerFor(controller, logger)
    const {createApiContext} = await import('../server/api-context.js')
    const {serveApi} = await import('../server/api-server.js')
    const cache = settings.families.includes('cache') ? await cacheWorker(settings.cache, logger) : null
    const jobs = settings.families.includes('benchmark') ? await benchJobs(settings.bench, logger) : null
    const host = await machine(settings.engineUrls, logger)
    const context = createApiContext({
      machine: host,
      sampler: host.sampler,
      segments: host.segments,
      cache: cache?.worker ?? null,
      cacheFigures: cache?.figures ?? null,
      router,
      jobs,
      clock: systemClock,
      logger,
      version: packageVersion,
      limits: LIMITS,
      segmentIntervalMs: SEGMENT_INTERVAL_MS,
      slowClientMs: SLOW_CLIENT_MS,
      hasDcgmNames: settings.hasDcgmNames,
    })
    try {
      const {token, isOpen, corsOrigins} = settings
      const api = await serveApi(context, settings.host, listeners, {
        token,
        isForThisMachine: token === null && !isOpen,
        corsOrigins,
      })
      const balancing = new LimitBalancing(logger)
      await balancing.configure(controller.balance)
      const {config} = flags
      const watch =
        config === undefined
          ? null
          : watchConfig(config, version, () => void this.#reload(config, router, balancing))
      const ended = untilEnd(signal, this.jsonEnabled() ? process.stdin : null, watch?.askedFor ?? null)
      this.#announce(api)
      await ended
      watch?.stop()
      await balancing.close()
      await api.close(settings.drainMs)
    } finally {
      host.close()
      await jobs?.close()
      await cache?.close()
    }
  }

  async #read(path: string | undefined): Promise<ServeFile> {
    const {readServeFile} = await import('../cli/serve-config.js')
    const {emptyControllerConfig} = await import('../lib/router/index.js')
    if (path === undefined) return {options: {}, controller: emptyControllerConfig}
    const file = await readServeFile(path, process.env)
    for (const warning of file.controller.warnings) this.logger.warn(warning)
    return file
  }

  /** The router's part and the limits: sockets stay. A file that is wrong changes nothing. */
  async #reload(path: string, router: Router, balancing: LimitBalancing): Promise<void> {
    try {
      const {controller} = await this.#read(path)
      router.configure(controller)
      await balancing.configure(controller.balance)
      this.logger.info(`read ${path} again: ${controller.models.length} models`)
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error)
      this.logger.error(`the configuration stays as it was: ${why}`)
    }
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
    if (families.includes('vram')) this.log(`  curl ${url}/vram?blocks=none`)
    if (families.includes('stats')) this.log(`  curl ${url}/proxy/stats`)
    if (families.includes('segments')) this.log(`  curl ${url}/segments`)
    if (families.includes('cache')) this.log(`  curl -X POST '${url}/cache/store?tokens_mock=0,1024'`)
    if (families.includes('router')) this.log(`  curl ${url}/v1/models`)
    if (families.includes('system')) this.log(`  ${url}/docs in a browser`)
    this.log('\nCtrl-C ends it.')
  }
}

/** `router_port` of the file acts as `--listen router=PORT`, which wins over it. */
function routerListeners(
  {families, listen}: Pick<ServeSettings, 'families' | 'listen'>,
  port: number | null,
): {family: FamilyName; port: number}[] {
  const isNamed = listen.some(({family}) => family === 'router')
  return port === null || isNamed || !families.includes('router') ? [] : [{family: 'router', port}]
}
