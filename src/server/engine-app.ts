import {fastify, type FastifyError, type FastifyInstance} from 'fastify'
import type {Logger} from '../lib/foundation/index.js'
import {errorBody} from '../lib/openai/index.js'
import {ApiError} from './api-error.js'
import {hasKey, isGuarded} from './api-key.js'
import {createEngineMetrics} from './exposition/engine-metrics.js'
import type {EngineAppContext} from './engine-app-context.js'
import type {Fault} from './fault-injection.js'
import type {ServedModel} from './generation/plan.js'
import {createRequestsInFlight, type RequestsInFlight} from './requests-in-flight.js'
import {engineControlRoutes} from './routes/engine-control.js'
import {engineSleepRoutes} from './routes/engine-sleep.js'
import {openaiRoutes} from './routes/openai.js'
import {nestsDeeper} from './schemas/nests-deeper.js'
import type {ServedEngine} from './served-engine.js'

export interface EngineAppOptions {
  readonly engine: ServedEngine
  readonly model: ServedModel
  /** kvctl's version, which `/version` and every `system_fingerprint` show. */
  readonly version: string
  /** None: `/v1` is open. */
  readonly apiKeys: readonly string[]
  /** Labels of `vllm:cache_config_info`. */
  readonly cacheConfig: Readonly<Record<string, string>>
  /** What is simulated and how, for `/server_info` and `kvctl_engine_info`. */
  readonly info: Readonly<Record<string, string>>
  readonly maxSequences: number
  readonly maxBodyBytes: number
  readonly slowClientMs: number
  readonly echoesRequestIds: boolean
  /** Offers what vLLM has in its development mode only. */
  readonly isDevelopment: boolean
  readonly canSleep: boolean
  /** Makes requests fail on purpose; see `createFaultDealer`. */
  readonly dealFault?: () => Fault | null
  readonly logger: Logger
}

export interface EngineApp {
  readonly http: FastifyInstance
  readonly inFlight: RequestsInFlight
}

/** The HTTP surface of `kvctl engine`, built but not listening: `/v1`, vLLM's control paths, `/metrics`, `/kvctl`. */
export function createEngineApp(options: EngineAppOptions): EngineApp {
  const {engine, model, version, apiKeys} = options
  const inFlight = createRequestsInFlight(options.maxSequences)
  const metrics = createEngineMetrics({
    engine,
    modelName: model.names[0],
    cacheConfig: options.cacheConfig,
    info: {version, ...options.info},
    requestsInFlight: () => inFlight.requests,
  })
  engine.observe(metrics.observer)
  let serial = 0
  const context: EngineAppContext = {
    engine,
    model,
    version,
    systemFingerprint: `kvctl-${version}`,
    inFlight,
    metrics,
    slowClientMs: options.slowClientMs,
    serverInfo: asText => serverInfo(options, asText),
    answered: plan => metrics.requested(plan.n),
    nextSerial: () => ++serial,
    nextFault: options.dealFault ?? (() => null),
  }

  const app = fastify({
    logger: false,
    schemaController: {compilersFactory: noSchemas},
    forceCloseConnections: true,
    bodyLimit: options.maxBodyBytes,
    exposeHeadRoutes: false,
    keepAliveTimeout: 75_000,
    requestTimeout: 60_000,
    routerOptions: {maxParamLength: 200},
  })
  parseJsonAlone(app)
  app.addHook('onRequest', (request, reply, done) => {
    const id = request.headers['x-request-id']
    if (options.echoesRequestIds && typeof id === 'string') reply.header('x-request-id', id)
    const path = request.routeOptions.url ?? request.url
    if (apiKeys.length > 0 && isGuarded(path) && request.method !== 'OPTIONS') {
      if (!hasKey(request.headers.authorization, apiKeys)) {
        void reply.code(401).send({error: 'Unauthorized'})
        return
      }
    }
    done()
  })
  app.addHook('onResponse', (request, reply, done) => {
    const handler = request.routeOptions.url
    if (handler !== undefined && !UNCOUNTED.has(handler)) {
      metrics.exchanged(request.method, reply.statusCode, handler)
    }
    done()
  })
  app.setErrorHandler<FastifyError | ApiError>((error, _, reply) => {
    const {status, body} = describeError(error)
    if (status >= 500 && !(error instanceof ApiError)) options.logger.error(error.stack ?? error.message)
    if (status === 429 || status === 503) reply.header('retry-after', '1')
    return reply.code(status).send(body)
  })
  app.setNotFoundHandler((request, reply) => {
    const allowed = methodsOf(app, request.url)
    if (allowed.length === 0) return reply.code(404).send({detail: 'Not Found'})
    return reply.code(405).header('allow', allowed.join(', ')).send({detail: 'Method Not Allowed'})
  })
  openaiRoutes(app, context)
  engineControlRoutes(app, context)
  if (options.isDevelopment) engineSleepRoutes(app, context, options)
  return {http: app, inFlight}
}

/** What vLLM's instrumentator leaves out. */
const UNCOUNTED = new Set(['/metrics', '/health', '/load', '/ping', '/version', '/server_info'])

/**
 * Bodies are read by zod and replies written by JSON.stringify, so that Fastify's own compilers, which take a third of the
 * start-up, are never loaded.
 */
const noSchemas = {
  buildValidator: () => unexpectedSchema,
  buildSerializer: () => unexpectedSchema,
}

function unexpectedSchema(): never {
  throw new TypeError('the routes of the engine have no Fastify schemas')
}

/** As pydantic's parser has it; what reads a body later may then recurse. */
const MAX_BODY_NESTING = 200

/** JSON or nothing: any other media type is refused with vLLM's words, by status 400. */
function parseJsonAlone(app: FastifyInstance): void {
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('application/json', {parseAs: 'string'}, (_, body, done) => {
    if (nestsDeeper(body as string, MAX_BODY_NESTING)) {
      const message = `1 validation error: body: nests more than ${MAX_BODY_NESTING} levels deep`
      done(new ApiError(400, message, null, 'Bad Request'))
      return
    }
    try {
      done(null, JSON.parse(body as string))
    } catch (error) {
      const message = `1 validation error: body: JSON decode error: ${(error as Error).message}`
      done(new ApiError(400, message, null, 'Bad Request'))
    }
  })
}

function describeError(error: FastifyError | ApiError): {status: number; body: object} {
  if (error instanceof ApiError) return {status: error.status, body: error.body}
  if (error.code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE') {
    const message = "Unsupported Media Type: Only 'application/json' is allowed"
    return {status: 400, body: errorBody(400, message, null, 'Bad Request')}
  }
  const status = error.statusCode ?? 500
  if (status >= 500) return {status: 500, body: errorBody(500, 'The server failed unexpectedly.')}
  return {status, body: errorBody(status, error.message)}
}

function methodsOf(app: FastifyInstance, url: string): string[] {
  const path = url.split('?', 1)[0]!
  return (['GET', 'POST'] as const).filter(method => app.hasRoute({method, url: path}))
}

/** @see vllm-project/vllm:vllm/entrypoints/serve/instrumentator/server_info.py — the three keys */
function serverInfo(options: EngineAppOptions, asText: boolean): object {
  const {model, info, cacheConfig} = options
  const settings = {
    model: model.root,
    served_model_name: model.names,
    max_model_len: model.maxModelLen,
    ...cacheConfig,
    ...info,
  }
  const text = Object.entries(settings).map(([name, value]) => `${name}=${JSON.stringify(value)}`)
  return {
    vllm_config: asText ? text.join(', ') : settings,
    vllm_env: {},
    system_env: {kvctl: options.version, node: process.versions.node, tokenizer: model.tokenizer.name},
  }
}
