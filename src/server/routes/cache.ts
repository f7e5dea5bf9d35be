import type {FastifyInstance, FastifyReply, FastifyRequest} from 'fastify'
import {z} from 'zod'
import {
  CACHE_OPERATION_NAMES,
  CACHE_OPERATIONS,
  type CacheReply,
  type CacheWorker,
} from '../../lib/tiers/index.js'
import type {ApiContext} from '../api-context.js'
import {cacheSchema} from '../schemas/cache.js'
import {answer} from '../schemas/json-schema.js'
import {problems} from '../schemas/problem.js'

/** LMCache's worker API, with its own bodies, codes and errors. @throws Error without a worker in the context */
export function cacheRoutes(app: FastifyInstance, context: ApiContext): void {
  const {cache} = context
  if (cache === null) throw new Error('the cache family needs a cache worker')
  const hasMetrics = app.hasRoute({method: 'GET', url: '/metrics'})
  app.register(scope => {
    // Bodies are read by the operations, which have errors of their own for them.
    scope.removeAllContentTypeParsers()
    scope.addContentTypeParser('*', {parseAs: 'string'}, (_, body, done) => done(null, body))
    scope.setValidatorCompiler(() => () => true)
    for (const operation of CACHE_OPERATION_NAMES) {
      const {method, path: url} = CACHE_OPERATIONS[operation]
      scope.route({
        ...{method, url, schema: cacheSchema(operation), exposeHeadRoute: false},
        handler: async (request, reply) => send(request, reply, await ask(cache, operation, request)),
      })
    }
    if (!hasMetrics) metricsRoute(scope, context)
    resetRoute(scope, context)
    return Promise.resolve()
  })
}

async function ask(
  cache: CacheWorker,
  operation: (typeof CACHE_OPERATION_NAMES)[number],
  {query, body, params}: FastifyRequest,
): Promise<CacheReply> {
  const values = Object.entries(query as Record<string, string | string[]>)
  return cache.answer(operation, {
    query: Object.fromEntries(values.map(([name, value]) => [name, [value].flat()])),
    body: typeof body === 'string' ? body : '',
    name: (params as {name?: string}).name ?? null,
  })
}

/** A text is a plain one, unless the client names JSON, as LMCache's own clients get it. */
async function send(
  request: FastifyRequest,
  reply: FastifyReply,
  {status, body}: CacheReply,
): Promise<FastifyReply> {
  reply.code(status)
  if (typeof body !== 'string') return reply.type('application/json').send(body)
  return request.headers.accept?.includes('application/json') === true
    ? reply.type('application/json').send(JSON.stringify(body))
    : reply.type('text/plain; charset=utf-8').send(body)
}

/** On a port without the system family, where LMCache's workers have it. */
function metricsRoute(scope: FastifyInstance, {metrics}: ApiContext): void {
  scope.get(
    '/metrics',
    {
      schema: {
        ...{tags: ['cache'], operationId: 'cacheMetrics', summary: 'Figures for Prometheus'},
        response: {200: answer('Text format 0.0.4', z.string(), 'text/plain'), ...problems(503)},
      },
    },
    async (_, reply) => reply.type(metrics.contentType).send(await metrics.page()),
  )
}

function resetRoute(scope: FastifyInstance, {metrics}: ApiContext): void {
  scope.post(
    '/metrics/reset',
    {
      schema: {
        ...{
          tags: ['cache'],
          operationId: 'cacheResetMetrics',
          summary: 'Zero what the cache counted; gauges stay',
        },
        response: {200: answer('ok', z.string(), 'text/plain'), ...problems(503)},
      },
    },
    (_, reply) => {
      metrics.resetCache()
      return reply.type('text/plain').send('ok')
    },
  )
}
