import type {RequestListener, Server} from 'node:http'
import {fastify, type FastifyInstance, type FastifyReply, type FastifyRequest} from 'fastify'
import {stringifyExact} from '../lib/foundation/index.js'
import type {ApiContext} from './api-context.js'
import type {FamilyName} from './api-families.js'
import {hasKey} from './api-key.js'
import {expressLane} from './express-lane.js'
import {isLoopback} from './loopback.js'
import {describeApi} from './openapi.js'
import {isBlackboxPath, sendPlain} from './plain-errors.js'
import {HttpRefusal, PROBLEM_TYPE, problemOf} from './problem.js'

type Family = (app: FastifyInstance, context: ApiContext) => void

/** What we serve, loaded only where it is served. */
const FAMILIES: Readonly<Record<FamilyName, () => Promise<Family>>> = {
  vram: async () => (await import('./routes/vram.js')).vramRoutes,
  stats: async () => (await import('./routes/stats.js')).statsRoutes,
  segments: async () => (await import('./routes/segments.js')).segmentRoutes,
  system: async () => (await import('./routes/system.js')).systemRoutes,
  cache: async () => (await import('./routes/cache.js')).cacheRoutes,
  router: async () => (await import('./routes/router.js')).routerRoutes,
  benchmark: async () => (await import('./routes/benchmark.js')).benchmarkRoutes,
}

export interface ApiAppOptions {
  readonly families: readonly FamilyName[]
  /** null: open to all who can reach it. */
  readonly token: string | null
  /**
   * Whether requests must name this machine as their host. It keeps out web pages whose name was made to resolve to the
   * loopback, which a browser takes for their own server.
   */
  readonly isForThisMachine: boolean
  /** Origins whose pages may read answers, or `*`; none sends no CORS headers. */
  readonly corsOrigins: readonly string[]
}

const MAX_BODY_BYTES = 64 * 1024
const MAX_HEADER_BYTES = 16 * 1024
/** Above what may be answered at once, so that the rest hears a refusal instead of nothing. */
const MAX_CONNECTIONS = 16_384
/** A file name of 255 bytes, each percent-encoded. */
const MAX_PARAM_LENGTH = 3 * 255
/** What Blackbox answers in plain text; the rest it does not know. */
const PLAIN_CODES: ReadonlySet<string> = new Set(['NOT_FOUND', 'METHOD_NOT_ALLOWED', 'UNEXPECTED'])
/** The one path that asks for no token and answers while the server drains. */
const HEALTH = '/health'

/** The HTTP surface of `kvctl serve` on one listener, built but not listening. */
export async function createApiApp(
  context: ApiContext,
  {families, token, isForThisMachine, corsOrigins}: ApiAppOptions,
): Promise<FastifyInstance> {
  const {traffic, metrics, logger} = context
  const isBlackbox = families.join() === 'vram'
  const sendProblem = (error: unknown, reply: FastifyReply): FastifyReply => {
    const problem = problemOf(error)
    const isPlain = isBlackbox || isBlackboxPath(pathOf(reply.request.url))
    if (problem.code === 'UNEXPECTED') logger.error(error instanceof Error ? error.stack! : String(error))
    if (isPlain && PLAIN_CODES.has(problem.code)) return sendPlain(reply, problem.status)
    if (problem.status === 503) reply.header('retry-after', '1')
    return reply.code(problem.status).type(PROBLEM_TYPE).send(problem)
  }
  const app = fastify({
    logger: false,
    forceCloseConnections: true,
    bodyLimit: MAX_BODY_BYTES,
    keepAliveTimeout: 75_000,
    requestTimeout: 30_000,
    http: {maxHeaderSize: MAX_HEADER_BYTES},
    routerOptions: {maxParamLength: MAX_PARAM_LENGTH},
    // Fastify's defaults drop unknown keys and read "5" as 5.
    ajv: {customOptions: {removeAdditional: false, coerceTypes: false}},
    frameworkErrors: (error, _, reply) => void sendProblem(error, reply),
  })
  app.server.maxConnections = MAX_CONNECTIONS
  app.removeContentTypeParser('text/plain')
  // Figures of 64 bits keep their digits.
  app.setReplySerializer(payload => stringifyExact(payload))
  app.setSerializerCompiler(() => data => stringifyExact(data))

  if (corsOrigins.length > 0) {
    const {fastifyCors} = await import('@fastify/cors')
    await app.register(fastifyCors, {
      origin: corsOrigins.includes('*') ? '*' : [...corsOrigins],
      methods: ['GET', 'HEAD', 'PUT', 'DELETE', 'POST'],
      exposedHeaders: ['X-Cache'],
    })
  }
  const routes: {method: string; pattern: RegExp}[] = []
  app.addHook('onRoute', ({method, url}) => {
    for (const one of [method].flat()) routes.push({method: one, pattern: patternOf(url)})
  })
  app.addHook('onRequest', (request, reply, done) => {
    reply.raw.once('close', () => {
      metrics.exchanged(request.method, request.routeOptions.url ?? 'none', reply.raw.statusCode)
    })
    if (request.routeOptions.url === HEALTH) {
      done()
      return
    }
    if (isForThisMachine && !isLoopback(request.hostname))
      throw new HttpRefusal(403, 'HOST_REFUSED', 'Without a token this server answers to localhost alone.')
    const isProxied = request.routeOptions.config.isProxied === true
    if (token !== null && !hasKey(tokenHeader(request, isProxied), [token])) {
      reply.header('www-authenticate', 'Bearer')
      const how = isProxied ? 'x-kvctl-token: TOKEN' : 'Authorization: Bearer TOKEN'
      throw new HttpRefusal(401, 'TOKEN_REQUIRED', `Send ${how} with the token of the server.`)
    }
    traffic.enter(reply.raw, isProxied)
    done()
  })
  app.setErrorHandler((error, _, reply) => sendProblem(error, reply))
  app.setNotFoundHandler((request, reply) => {
    const path = pathOf(request.url)
    const allowed = routes.filter(({pattern}) => pattern.test(path)).map(({method}) => method)
    if (allowed.length === 0)
      return sendProblem(new HttpRefusal(404, 'NOT_FOUND', `There is no ${path} here.`), reply)
    reply.header('allow', [...new Set(allowed)].join(', '))
    return sendProblem(
      new HttpRefusal(405, 'METHOD_NOT_ALLOWED', `${path} does not take ${request.method}.`),
      reply,
    )
  })
  if (families.includes('system')) await describeApi(app, context.version, token !== null)
  for (const family of families) (await FAMILIES[family]())(app, context)
  await app.ready()
  // Headers for pages of other origins are the framework's to add.
  if (families.includes('router') && corsOrigins.length === 0)
    openLane(app.server, expressLane(context, {token, isForThisMachine}))
  return app
}

/** Asks `take` first; what it leaves goes to whoever listened before. */
function openLane(server: Server, take: ReturnType<typeof expressLane>): void {
  const others = server.listeners('request') as RequestListener[]
  server.removeAllListeners('request').on('request', (request, response) => {
    if (!take(request, response)) for (const other of others) other(request, response)
  })
}

/** Where an engine answers, `Authorization` is the engine's and ours has a header of its own. */
function tokenHeader({headers}: FastifyRequest, isProxied: boolean): string | undefined {
  if (!isProxied) return headers.authorization
  const own = headers['x-kvctl-token']
  return typeof own === 'string' ? `Bearer ${own}` : undefined
}

function pathOf(url: string): string {
  return url.split('?', 1)[0]!
}

/** `/segments/:name` as what it matches. */
function patternOf(url: string): RegExp {
  const parts = url.split('/').map(part => {
    if (part === '*') return '.*'
    return part.startsWith(':') ? '[^/]+' : part.replaceAll(/\W/g, '\\$&')
  })
  return new RegExp(`^${parts.join('/')}$`)
}
