import type {FastifyInstance} from 'fastify'
import type {EngineAppContext} from '../engine-app-context.js'
import {encodeConversation} from '../generation/plan-chat.js'
import {checkTokenIds, refuseFarTooLong, resolveModel} from '../generation/plan.js'
import {parseBody} from '../schemas/parse-body.js'
import {detokenizeRequest, tokenizeRequest} from '../schemas/tokenize.js'

/** What vLLM offers beside `/v1`, and `/kvctl`: open even where `/v1` needs a key. */
export function engineControlRoutes(app: FastifyInstance, context: EngineAppContext): void {
  const {model, inFlight, metrics, engine} = context

  app.get('/health', (_, reply) => reply.code(inFlight.isDraining ? 503 : 200).send())
  app.route({
    method: ['GET', 'POST'],
    url: '/ping',
    handler: (_, reply) => reply.code(inFlight.isDraining ? 503 : 200).send(),
  })
  app.get('/version', () => ({version: context.version}))
  app.get('/load', () => ({server_load: inFlight.requests}))
  app.get('/metrics', async (_, reply) => reply.type(metrics.contentType).send(await metrics.page()))
  app.get('/server_info', request => context.serverInfo(isText(request.query)))
  app.get('/kvctl/state', () => engine.state())

  app.post('/tokenize', request => {
    const body = parseBody(tokenizeRequest, request.body)
    resolveModel(body.model, model)
    let tokens: readonly number[]
    if (body.messages) {
      tokens = encodeConversation({...body, messages: body.messages}, 0, model)
    } else {
      refuseFarTooLong([body.prompt ?? ''], 0, model)
      tokens = model.tokenizer.encode(body.prompt ?? '')
    }
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

/** vLLM writes its configuration as one string unless JSON is asked for. */
function isText(query: unknown): boolean {
  return (query as Record<string, unknown>)['config_format'] !== 'json'
}
