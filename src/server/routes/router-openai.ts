import type {FastifyInstance, FastifyReply, FastifyRequest} from 'fastify'
import {z} from 'zod'
import {ApiError} from '../api-error.js'
import type {ApiContext} from '../api-context.js'
import {COMPLETION_PATHS, forwardToEngine, MAX_ROUTED_BYTES, openAiRefusal} from '../forward-to-engine.js'
import {statusOf} from '../relay-reply.js'
import {answer, jsonSchema} from '../schemas/json-schema.js'
import {anyJson, modelList, modelName, openAiError} from '../schemas/router.js'

const TAGS = ['router']
/** Operation and summary. */
const COMPLETIONS: Readonly<Record<(typeof COMPLETION_PATHS)[number], readonly [string, string]>> = {
  '/v1/chat/completions': ['createChatCompletion', "OpenAI's chat completions, by an engine of the model"],
  '/v1/completions': ['createCompletion', "OpenAI's completions, by an engine of the model"],
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Answered by an engine: `Authorization` is the engine's, and a long answer is nothing unusual. */
    isProxied?: boolean
  }
}

/** `/v1`: everything that names a model goes to an engine of that model, and comes back as it was sent. */
export function openAiRoutes(app: FastifyInstance, context: ApiContext): void {
  const {router} = context
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', {parseAs: 'buffer', bodyLimit: MAX_ROUTED_BYTES}, (_, body, done) => {
    done(null, body)
  })
  app.setErrorHandler((error, _, reply) => {
    const {status, body, retryAfterS} = openAiRefusal(error, context)
    if (retryAfterS !== null) reply.header('retry-after', retryAfterS)
    return reply.code(status).send(body)
  })
  const config = {isProxied: true}
  const refusals = Object.fromEntries(
    [400, 404, 429, 502, 503, 504].map(status => [status, answer(statusOf(status), openAiError)]),
  )

  const forward = (request: FastifyRequest, reply: FastifyReply): void => {
    const body = Buffer.isBuffer(request.body) ? request.body : null
    forwardToEngine(context, request.raw, reply.raw, body, reply.getHeaders())
    reply.hijack()
  }

  for (const path of COMPLETION_PATHS) {
    const [operationId, summary] = COMPLETIONS[path]
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
