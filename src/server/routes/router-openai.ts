import type {FastifyInstance, FastifyReply, FastifyRequest} from 'fastify'
import {z} from 'zod'
import {headersToForward} from '../../lib/http/index.js'
import {DESTINATION_HEADER, destinationsOf, prefixHashes, promptText} from '../../lib/router/index.js'
import {ApiError} from '../api-error.js'
import type {ApiContext} from '../api-context.js'
import {problemOf} from '../problem.js'
import {relayReply, statusOf} from '../relay-reply.js'
import {readRoutedBody} from '../routed-body.js'
import {answer, jsonSchema} from '../schemas/json-schema.js'
import {anyJson, modelList, modelName, openAiError} from '../schemas/router.js'

const TAGS = ['router']
/** Pictures in a conversation come as text. */
const MAX_BODY_BYTES = 64 * 2 ** 20
/** Ours, and those that a new connection makes anew. */
const NOT_FORWARDED: ReadonlySet<string> = new Set([
  'host',
  'content-length',
  'expect',
  'x-kvctl-token',
  'x-kvctl-decision',
])
const NOT_FORWARDED_WITH_KEY: ReadonlySet<string> = new Set([...NOT_FORWARDED, 'authorization'])

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Answered by an engine: `Authorization` is the engine's, and a long answer is nothing unusual. */
    isProxied?: boolean
  }
}

/** `/v1`: everything that names a model goes to an engine of that model, and comes back as it was sent. */
export function openAiRoutes(app: FastifyInstance, context: ApiContext): void {
  const {router, logger} = context
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', {parseAs: 'buffer', bodyLimit: MAX_BODY_BYTES}, (_, body, done) => {
    done(null, body)
  })
  app.setErrorHandler((error, _, reply) => {
    const refusal = error instanceof ApiError ? error : null
    const {status, detail} = refusal ? {status: refusal.status, detail: refusal.message} : problemOf(error)
    if (status === 500) logger.error(error instanceof Error ? error.stack! : String(error))
    if (status === 503) reply.header('retry-after', '1')
    return reply.code(status).send((refusal ?? new ApiError(status, detail)).body)
  })
  const config = {isProxied: true}
  const refusals = Object.fromEntries(
    [400, 404, 429, 502, 503, 504].map(status => [status, answer(statusOf(status), openAiError)]),
  )

  const forward = (request: FastifyRequest, reply: FastifyReply): void => {
    const body = Buffer.isBuffer(request.body) ? request.body : null
    const {model, json} = readRoutedBody(body, request.headers['content-type'], request.url)
    const served = router.model(model)
    if (!served) throw new ApiError(404, `The model \`${model}\` does not exist.`, 'model')
    const headers = headersToForward(
      request.raw.rawHeaders,
      served.apiKey === null ? NOT_FORWARDED : NOT_FORWARDED_WITH_KEY,
    )
    if (served.apiKey !== null) headers.push('authorization', `Bearer ${served.apiKey}`)
    const wanted = request.headers[DESTINATION_HEADER]
    const destinations = wanted === undefined ? [] : destinationsOf(String(wanted), served.replicas)
    if (wanted !== undefined && destinations.length === 0)
      throw new ApiError(503, `None of the engines of \`${model}\` is at ${String(wanted)}.`)
    const session = request.headers[served.sessionHeader] ?? json?.['user']
    const hashes = json !== null && router.readsPrompts(model) ? prefixHashes(promptText(json)) : []
    reply.hijack()
    relayReply(
      reply.raw,
      {
        headers: reply.getHeaders(),
        slowClientMs: context.slowClientMs,
        showsDecision: request.headers['x-kvctl-decision'] !== undefined,
        showsServed: wanted !== undefined,
        model,
      },
      sink =>
        router.route(
          model,
          {
            ...{method: request.method, path: request.url, headers, body, hashes, destinations},
            session: typeof session === 'string' ? session : null,
          },
          sink,
        ),
    )
  }

  for (const [path, operationId, summary] of [
    ['/v1/chat/completions', 'createChatCompletion', "OpenAI's chat completions, by an engine of the model"],
    ['/v1/completions', 'createCompletion', "OpenAI's completions, by an engine of the model"],
  ] as const) {
    app.post(
      path,
      {
        config,
        schema: {
          ...{tags: TAGS, operationId, summary},
          response: {200: answer("The engine's answer as it is, or its stream", anyJson), ...refusals},
        },
      },
      forward,
    )
  }
  app.get(
    '/v1/models',
    {
      config,
      schema: {
        ...{tags: TAGS, operationId: 'listModels', summary: 'Every model, as its engines describe it'},
        response: {200: answer("OpenAI's list", modelList)},
      },
    },
    async () => ({object: 'list', data: await router.cards()}),
  )
  app.get<{Params: z.output<typeof modelName>}>(
    '/v1/models/:model',
    {
      config,
      schema: {
        ...{tags: TAGS, operationId: 'getModel', summary: 'One model, as its engines describe it'},
        params: jsonSchema(modelName),
        response: {200: answer('The model', anyJson), 404: refusals[404]!},
      },
    },
    async ({params: {model}}) => {
      const card = (await router.cards()).find(({id}) => id === model)
      if (!card) throw new ApiError(404, `The model \`${model}\` does not exist.`, 'model')
      return card
    },
  )
  app.route({
    ...{method: ['GET', 'POST', 'DELETE'], url: '/v1/*', config},
    schema: {hide: true},
    handler: forward,
  })
}
