import {Args} from '@oclif/core'
import {apiKeysFor, engineFlags, faultRates, toEngineFlags} from '../cli/engine-flags.js'
import {KvctlCommand} from '../cli/kvctl-command.js'
import {untilEnd} from '../cli/until-end.js'
import {packageVersion} from '../lib/foundation/index.js'
import type {ListeningApi} from '../server/api-server.js'
import type {EngineServer} from '../server/engine-server.js'
import {embeddedEngine, engineCacheWorker, freeSegmentName, machine, routerFor} from '../wiring/index.js'

const MAX_BODY_BYTES = 16 * 2 ** 20
const SLOW_CLIENT_MS = 60_000
const MAX_SEQUENCES_PER_REQUEST = 1024

export default class Engine extends KvctlCommand {
  static override summary =
    'run an inference server without weights: real KV pages, real scheduling, simulated time'
  static override description = `Speaks OpenAI's and vLLM's HTTP: /v1/models, /v1/completions, /v1/chat/completions, /metrics, /health and more. Tokens are
read out of KV pages that kvctl limit really shrinks; a roofline of the chosen GPU and model sets the pace. Flags are
vLLM's where vLLM has them. Ctrl-C lets running answers end. With --json the first line is {"url","pid","segment"}, and a
stdin that is a pipe ends the engine when it closes.`
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> Qwen/Qwen3-8B --gpu-type L40S --port 8001',
    '<%= config.bin %> <%= command.id %> --ttft-ms 50 --itl-ms 10 --num-gpu-blocks-override 512',
    '<%= config.bin %> <%= command.id %> --port 0 --json --speedup 10',
    '<%= config.bin %> <%= command.id %> --cache-config lmcache.yaml',
  ]
  static override enableJsonFlag = true
  static override args = {
    model: Args.string({description: 'as --model, which it overrides', ignoreStdin: true}),
  }
  static override flags = engineFlags

  async run(): Promise<void> {
    // vLLM takes --max_model_len too.
    this.argv = this.argv.map(word => word.replace(/^--[\w-]+/, name => name.replaceAll('_', '-')))
    const {args, flags} = await this.parse(Engine)
    const apiKeys = apiKeysFor(flags, process.env)
    const {engineSettings} = await import('../server/engine-settings.js')
    const {kvcachedVariables} = await import('../server/kvcached-variables.js')
    const {readModelConfig} = await import('../lib/engine/index.js')
    const engineFlags = toEngineFlags(flags, args.model)
    const local = engineFlags.model === undefined ? null : await readModelConfig(engineFlags.model)
    const asked = engineSettings(engineFlags, local, process.env['PYTHONHASHSEED'] ?? null)
    const variables = kvcachedVariables(process.env, flags['block-size'])
    const settings = {...asked, engine: {...asked.engine, ...variables}}
    const faults = faultRates(flags)
    const parser = flags['tool-call-parser']
    const {signal} = this
    const segment = flags['no-segment'] ? null : (flags['ipc-name'] ?? (await freeSegmentName(this.logger)))
    const {engine, tokenizer} = await embeddedEngine(settings, {segment, device: flags.device}, this.logger)
    process.once('exit', () => engine.removeSync())
    const cachePath = flags['cache-config'] ?? (process.env['LMCACHE_CONFIG_FILE'] || null)
    let cache: Awaited<ReturnType<typeof engineCacheWorker>> | null = null
    let cacheApi: ListeningApi | null = null
    try {
      if (cachePath !== null) {
        const about = {configPath: cachePath, model: settings.root, blockSize: engine.stats().blockSize}
        cache = await engineCacheWorker(engine, about, this.logger)
        cacheApi = await this.#serveCache(cache, flags, apiKeys[0] ?? null)
      }
      const {createEngineApp} = await import('../server/engine-app.js')
      const {listen} = await import('../server/engine-server.js')
      const {TOOL_FORMATS} = await import('../server/generation/tool-format.js')
      const {createFaultDealer} = await import('../server/fault-injection.js')
      const app = createEngineApp({
        engine,
        model: {
          names: settings.names,
          root: settings.root,
          tokenizer,
          maxModelLen: engine.maxModelLen,
          hasPriorities: flags['scheduling-policy'] === 'priority',
          showsCachedTokens: flags['enable-prompt-tokens-details'],
          forcesUsage: flags['enable-force-include-usage'],
          maxLogprobs: flags['max-logprobs'],
          maxSequencesPerRequest: MAX_SEQUENCES_PER_REQUEST,
          seed: flags.seed,
          autoTools:
            flags['enable-auto-tool-choice'] && parser !== undefined
              ? {format: TOOL_FORMATS[parser], share: flags['tool-call-rate']}
              : null,
        },
        version: packageVersion,
        apiKeys,
        cacheConfig: settings.cacheConfig,
        info: settings.info,
        maxSequences: flags['max-num-queued-reqs'],
        maxBodyBytes: MAX_BODY_BYTES,
        slowClientMs: SLOW_CLIENT_MS,
        echoesRequestIds: flags['enable-request-id-headers'],
        isDevelopment: !flags['strict-vllm'] || process.env['VLLM_SERVER_DEV_MODE'] === '1',
        canSleep: !flags['strict-vllm'] || flags['enable-sleep-mode'],
        dealFault: createFaultDealer(faults, flags.seed),
        logger: this.logger,
      })
      const server = await listen(app, flags.host, flags.port, this.logger)
      const ended = untilEnd(signal, this.jsonEnabled() ? process.stdin : null)
      this.#announce(server, settings.names[0], engine.segment, cacheApi?.listeners[0]?.url ?? null)
      await ended
      await server.close(flags['drain-timeout'])
    } finally {
      await cacheApi?.close(0)
      await engine.close()
      // What ended requests left is written first.
      await cache?.close()
    }
  }

  async #serveCache(
    cache: Awaited<ReturnType<typeof engineCacheWorker>>,
    flags: {readonly host: string; readonly 'cache-port': number},
    token: string | null,
  ): Promise<ListeningApi> {
    const {serveCache} = await import('../server/cache-server.js')
    const {emptyControllerConfig} = await import('../lib/router/index.js')
    const host = await machine([], this.logger)
    const router = await routerFor(emptyControllerConfig, this.logger)
    const api = await serveCache({
      ...{worker: cache.worker, figures: cache.figures, host: flags.host, port: flags['cache-port'], token},
      parts: {segments: host.segments, sampler: host.sampler, machine: host, router},
      logger: this.logger,
    })
    return {
      ...api,
      async close(drainMs) {
        await api.close(drainMs)
        host.close()
      },
    }
  }

  #announce({url}: EngineServer, model: string, segment: string | null, cacheUrl: string | null): void {
    if (this.jsonEnabled()) {
      this.logJsonLine({url, pid: process.pid, segment, ...(cacheUrl !== null && {cache_url: cacheUrl})})
      return
    }
    this.log(`kvctl engine ${packageVersion} serves ${model}`)
    this.log(`  URL      ${url}`)
    this.log(`  segment  ${segment ?? 'none'}`)
    if (cacheUrl !== null) this.log(`  cache    ${cacheUrl}`)
    this.log('\nTry')
    const body = `{"model":"${model}","messages":[{"role":"user","content":"Hello"}],"stream":true,"max_tokens":40}`
    this.log(`  curl -N ${url}/v1/chat/completions -H 'content-type: application/json' -d '${body}'`)
    this.log(`  kvctl bench --url ${url}`)
    if (segment !== null) this.log(`  kvctl limit ${segment} 128M`)
    this.log('\nCtrl-C ends it.')
  }
}
