import type {FastifyInstance} from 'fastify'
import type {ApiContext} from '../api-context.js'
import {answer} from '../schemas/json-schema.js'
import {problems} from '../schemas/problem.js'
import {stats, statsError} from '../schemas/stats.js'
import {createStatsCache} from '../stats-cache.js'

/** GPU statistics as vllm-chill's proxy serves them. */
export function statsRoutes(app: FastifyInstance, {sampler, clock}: ApiContext): void {
  const cache = createStatsCache(sampler, clock)

  app.get(
    '/proxy/stats',
    {
      schema: {
        ...{tags: ['stats'], operationId: 'getStats', summary: 'Use, memory, temperature, power of each GPU'},
        description: 'Read once a second at most; X-Cache says whether it was read for this request.',
        response: {
          200: answer('All GPUs that can be read', stats),
          500: answer('There is no driver or no GPU', statsError),
          ...problems(503),
        },
      },
    },
    async (_, reply) => {
      const {status, body, cache: hitOrMiss, ageMs} = await cache.get()
      reply.code(status).header('content-type', 'application/json; charset=utf-8')
      if (hitOrMiss !== null) reply.header('x-cache', hitOrMiss).header('x-cache-age-ms', ageMs)
      return reply.send(body)
    },
  )
}
