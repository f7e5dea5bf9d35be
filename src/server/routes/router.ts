import {STATUS_CODES} from 'node:http'
import type {FastifyInstance, FastifyReply} from 'fastify'
import {z} from 'zod'
import {
  actionJson,
  activeModelsJson,
  idleModelsJson,
  LONGEST_WINDOW_MS,
  sleepCandidatesJson,
  sleepStatusJson,
  trafficJson,
  type ModelConfig,
} from '../../lib/router/index.js'
import type {ApiContext} from '../api-context.js'
import {HttpRefusal, problemOf} from '../problem.js'
import {answer, jsonSchema} from '../schemas/json-schema.js'
import {
  action,
  activeModels,
  activeQuery,
  controllerError,
  idleModels,
  modelHealth,
  modelName,
  modelStats,
  routedModels,
  routerHealth,
  serverInfo,
  sleepCandidates,
  sleepStatus,
  thresholdQuery,
  trafficStats,
  windowQuery,
} from '../schemas/router.js'
import {openAiRoutes} from './router-openai.js'

const TAGS = ['router']

interface OneModel {
  readonly Params: z.output<typeof modelName>
}

/**
 * kvcached's controller: many models behind one door. Its paths, keys, texts and statuses, with the failures of upstream gone.
 *
 * @see ovg-project/kvcached:controller/frontend.py
 */
export function routerRoutes(app: FastifyInstance, context: ApiContext): void {
  void app.register((scope, _, done) => {
    controllerRoutes(scope, context)
    done()
  })
  void app.register((scope, _, done) => {
    openAiRoutes(scope, context)
    done()
  })
}

function controllerRoutes(app: FastifyInstance, context: ApiContext): void {
  const {router} = context
  const params = jsonSchema(modelName)
  const failed = (...statuses: number[]): Record<number, object> =>
    Object.fromEntries(statuses.map(status => [status, answer(STATUS_CODES[status]!, controllerError)]))

  // Some clients send the media type of JSON with a POST that has no body.
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', {parseAs: 'string'}, (_, text, done) => {
    done(null, text)
  })
  app.setErrorHandler((error, _, reply) => {
    const {status, detail} = problemOf(error)
    if (status === 500) context.logger.error(error instanceof Error ? error.stack! : String(error))
    if (status === 503) reply.header('retry-after', '1')
    return reply.code(status).send({error: detail})
  })

  // The system's says more, and upstream's key with it; on a port of its own the router has this one.
  if (!app.hasRoute({method: 'GET', url: '/health'})) {
    app.get(
      '/health',
      {
        schema: {
          ...{tags: TAGS, operationId: 'getRouterHealth', summary: 'Whether the router serves', security: []},
          response: {200: answer('It serves', routerHealth)},
        },
      },
      () => ({status: 'healthy'}),
    )
  }
  app.get(
    '/get_server_info',
    {
      schema: {
        ...{
          tags: TAGS,
          operationId: 'getServerInfo',
          summary: 'What this server is, for clients that ask SGLang',
        },
        response: {200: answer('Its version and models', serverInfo), ...failed(503)},
      },
    },
    () => ({
      status: 'dummy',
      version: context.version,
      models: router.looks(1000).map(({name}) => name),
    }),
  )
  app.get(
    '/models',
    {
      schema: {
        ...{tags: TAGS, operationId: 'listRoutedModels', summary: 'Every model, its engines and its state'},
        response: {200: answer('As kvctl models --json', routedModels), ...failed(503)},
      },
    },
    () => ({
      models: Object.fromEntries(
        router.looks(1000).map(({name, phase, group}) => {
          const {engine, routing, replicas} = router.model(name)!
          return [
            name,
            {
              endpoint: replicas[0]!.url,
              ...{engine, phase, group, routing},
              replicas: router.replicas(name).map(replica => ({
                endpoint: replica.url,
                in_flight_requests: replica.inFlight,
                load: replica.load,
                kv_cache_usage: replica.kvUsage,
                circuit: replica.circuit,
                healthy: replica.isHealthy,
              })),
            },
          ]
        }),
      ),
    }),
  )
  app.get<OneModel>(
    '/health/:model',
    {
      schema: {
        ...{tags: TAGS, operationId: 'getModelHealth', summary: 'Whether the engines of a model answer'},
        description: '`all` asks the engines of every model.',
        params,
        response: {200: answer('By engine', modelHealth), ...failed(503)},
      },
    },
    async ({params: {model}}) => {
      if (model !== 'all') return {model, health: await router.health(model)}
      const names = router.looks(1000).map(({name}) => name)
      const states = await Promise.all(names.map(async name => [name, await router.health(name)] as const))
      return {model, health: Object.fromEntries(states)}
    },
  )
  app.get<{Querystring: z.output<typeof windowQuery>}>(
    '/traffic/stats',
    {
      schema: {
        ...{tags: TAGS, operationId: 'getTraffic', summary: 'Requests of every model'},
        querystring: jsonSchema(windowQuery),
        response: {200: answer('By model', trafficStats), ...failed(400, 503)},
      },
    },
    ({query}) => {
      const windowMs = windowOf(query)
      const looks = router.looks(windowMs).filter(({began}) => began > 0)
      return {
        traffic_stats: Object.fromEntries(looks.map(look => [look.name, trafficJson(look, idleMs())])),
        window_seconds: windowMs / 1000,
      }
    },
  )
  app.get<OneModel & {Querystring: z.output<typeof windowQuery>}>(
    '/traffic/stats/:model',
    {
      schema: {
        ...{tags: TAGS, operationId: 'getModelTraffic', summary: 'Requests of one model', params},
        querystring: jsonSchema(windowQuery),
        response: {200: answer('Its traffic', modelStats), ...failed(400, 404, 503)},
      },
    },
    ({params: {model}, query}) => {
      const windowMs = windowOf(query)
      const look = router.look(model, windowMs)
      if (!look || look.began === 0)
        throw new HttpRefusal(404, 'MODEL_NOT_FOUND', `No traffic data found for model ${model}`)
      return {
        model_stats: {model_name: model, ...trafficJson(look, idleMs())},
        window_seconds: windowMs / 1000,
      }
    },
  )
  app.get<{Querystring: z.output<typeof thresholdQuery>}>(
    '/models/idle',
    {
      schema: {
        ...{tags: TAGS, operationId: 'listIdleModels', summary: 'Models without activity'},
        querystring: jsonSchema(thresholdQuery),
        response: {200: answer('Idle models', idleModels), ...failed(400, 503)},
      },
    },
    ({query}) => idleModelsJson(router.looks(1000), thresholdOf(query)),
  )
  app.get<{Querystring: z.output<typeof activeQuery>}>(
    '/models/active',
    {
      schema: {
        ...{tags: TAGS, operationId: 'listActiveModels', summary: 'Models with activity'},
        querystring: jsonSchema(activeQuery),
        response: {200: answer('Active models', activeModels), ...failed(400, 503)},
      },
    },
    ({query}) => {
      const windowMs = windowOf(query)
      return activeModelsJson(router.looks(windowMs), thresholdOf(query), windowMs)
    },
  )
  app.get(
    '/sleep/status',
    {
      schema: {
        ...{tags: TAGS, operationId: 'getSleepStatus', summary: 'Who sleeps, and who would'},
        response: {200: answer('The state', sleepStatus), ...failed(503)},
      },
    },
    () => sleepStatusJson(router.looks(1000), router.config, router.nowMs()),
  )
  app.get(
    '/sleep/candidates',
    {
      schema: {
        ...{
          tags: TAGS,
          operationId: 'listSleepCandidates',
          summary: 'Models that automatic sleep would take',
        },
        response: {200: answer('Candidates', sleepCandidates), ...failed(503)},
      },
    },
    () => sleepCandidatesJson(router.looks(1000), router.config),
  )
  for (const [path, order, operationId, summary] of [
    ['/action/sleep/:model', 'sleep', 'sleepModel', 'Put a model to sleep'],
    ['/action/wakeup/:model', 'wake', 'wakeModel', 'Wake a model, after its minimum sleep'],
  ] as const) {
    app.post<OneModel>(
      path,
      {
        schema: {
          ...{tags: TAGS, operationId, summary, params},
          response: {
            200: answer('Done', action),
            400: answer('Not done, and why', action),
            ...failed(404, 503),
          },
        },
      },
      async ({params: {model}}, reply: FastifyReply) => {
        requireModel(router.model(model), model)
        const why = await router.order(order, model)
        return reply.code(why === null ? 200 : 400).send(actionJson(order, model, why))
      },
    )
  }

  function idleMs(): number {
    return router.config.plan.rules.idleThresholdMs
  }

  function thresholdOf({threshold}: z.output<typeof thresholdQuery>): number {
    return threshold === undefined ? idleMs() : Number(threshold) * 1000
  }
}

function windowOf({window = '60'}: {window?: string | undefined}): number {
  const windowMs = Number(window) * 1000
  if (windowMs > 0 && windowMs <= LONGEST_WINDOW_MS) return windowMs
  throw new HttpRefusal(
    400,
    'REQUEST_INVALID',
    `window must be above 0 and at most ${LONGEST_WINDOW_MS / 1000} seconds`,
  )
}

function requireModel(model: ModelConfig | null, name: string): void {
  if (!model) throw new HttpRefusal(404, 'MODEL_NOT_FOUND', `Model ${name} not found`)
}
