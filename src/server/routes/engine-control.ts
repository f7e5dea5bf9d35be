import type {FastifyInstance, FastifyReply, FastifyRequest} from 'fastify'
import type {EngineAppContext} from '../engine-app-context.js'
import {encodeConversation} from '../generation/plan-chat.js'
import {checkTokenIds, refuseFarTooLong, resolveModel, type ServedModel} from '../generation/plan.js'
import {parseBody} from '../schemas/parse-body.js'
import {
  detokenizeRequest,
  lookupRequest,
  tokenizeRequest,
  type TextOrConversation,
} from '../schemas/tokenize.js'
import {snakeCaseKeys} from '../snake-case.js'

/** What vLLM offers beside `/v1`, and `/kvctl`: open even where `/v1` needs a key. */
export function engineControlRoutes(app: FastifyInstance, context: EngineAppContext): void {
  const {model, inFlight, metrics, engine} = context

  const health = (_: FastifyRequest, reply: FastifyReply): FastifyReply =>
    reply.code(engine.isServing && !inFlight.isDraining ? 200 : 503).send()
  app.get('/health', health)
  app.route({method: ['GET', 'POST'], url: '/ping', handler: health})
  app.get('/version', () => ({version: context.version}))
  app.get('/load', () => ({server_load: inFlight.requests}))
  app.get('/metrics', async (_, reply) => reply.type(metrics.contentType).send(await metrics.page()))
  app.get('/kvctl/state', () => snakeCaseKeys(engine.state()))
  app.post('/kvctl/lookup', request => {
    const body = parseBody(lookupRequest, request.body)
    const tokens = body.tokens ?? encodeEither(body, model)
    checkTokenIds(tokens, model)
    return {prompt_tokens: tokens.length, cached_tokens: engine.lookup(tokens, body.cache_salt ?? null)}
  })

  app.post('/tokenize', request => {
    const body = parseBody(tokenizeRequest, request.body)
    resolveModel(body.model, model)
    const tokens = encodeEither(body, model)
    const strings = body.return_token_strs ? tokens.map(id => model.tokenizer.decode([id])) : null
    return {count: tokens.length, max_model_len: model.maxModelLen, tokens, token_strs: strings}
  })

  app.post('/detokenize', request => {
    const body = parseBody(detokenizeRequest, request.body)
    resolveModel(body.model, model)
    checkTokenIds(body.tokens, model)
    return {prompt: model.tokenizer.decode(body.tokens)}
  })
}

function encodeEither(body: TextOrConversation, model: ServedModel): number[] {
  if (body.messages) return encodeConversation({...body, messages: body.messages}, 0, model)
  refuseFarTooLong([body.prompt ?? ''], 0, model)
  return model.tokenizer.encode(body.prompt ?? '')
}
