import type {FastifyInstance, FastifyReply, FastifyRequest} from 'fastify'
import {randomUUID} from 'node:crypto'
import {setTimeout} from 'node:timers/promises'
import {ApiError} from '../api-error.js'
import type {EngineAppContext} from '../engine-app-context.js'
import type {ChunkWriter} from '../generation/chunk-writer.js'
import {createChatChunks} from '../generation/chat-chunks.js'
import {createCompletionChunks} from '../generation/completion-chunks.js'
import {generate} from '../generation/generate.js'
import type {ReplyIdentity} from '../generation/identity.js'
import {planChat} from '../generation/plan-chat.js'
import {planCompletion} from '../generation/plan-completion.js'
import type {GenerationPlan} from '../generation/plan.js'
import {chatReply, completionReply, type Answer} from '../generation/replies.js'
import {streamReply} from '../generation/stream-reply.js'
import {usageOf} from '../generation/usage.js'
import {collectAnswers} from '../generation/whole-reply.js'
import {chatRequest} from '../schemas/chat.js'
import {completionRequest} from '../schemas/completions.js'
import {parseBody} from '../schemas/parse-body.js'
import {modelList} from './models.js'

/** `/v1`: what every OpenAI client speaks. */
export function openaiRoutes(app: FastifyInstance, context: EngineAppContext): void {
  const {model} = context
  app.get('/v1/models', () => modelList(model, nowSeconds()))

  app.post('/v1/completions', async (request, reply) => {
    const body = parseBody(completionRequest, request.body)
    const plan = planCompletion(body, model)
    const identity = identify('cmpl', request, body.request_id, context)
    return answer(reply, context, {
      identity,
      plan,
      chunks: () => createCompletionChunks(identity, plan, model.tokenizer),
      streamedEchoes: plan.echoes,
      whole: (answers, usage) => completionReply(identity, plan, answers, usage, model.tokenizer),
    })
  })

  app.post('/v1/chat/completions', async (request, reply) => {
    const body = parseBody(chatRequest, request.body)
    const plan = planChat(body, model)
    const identity = identify('chatcmpl', request, body.request_id, context)
    return answer(reply, context, {
      identity,
      plan,
      chunks: () => createChatChunks(identity, plan, model.tokenizer),
      streamedEchoes: null,
      whole: (answers, usage) => chatReply(identity, plan, answers, usage, model.tokenizer),
    })
  })
}

interface Endpoint {
  readonly identity: ReplyIdentity
  readonly plan: GenerationPlan
  readonly chunks: () => ChunkWriter
  /** Echoes that ride with the first piece of a stream; chat sends its echo as an event of its own. */
  readonly streamedEchoes: readonly string[] | null
  readonly whole: (answers: readonly Answer[], usage: ReturnType<typeof usageOf>) => object
}

async function answer(
  reply: FastifyReply,
  context: EngineAppContext,
  {identity, plan, chunks, streamedEchoes, whole}: Endpoint,
): Promise<unknown> {
  const {engine, model, inFlight} = context
  const fault = context.nextFault()
  if (fault?.kind === 'error') throw new ApiError(500, 'An injected error.')
  if (fault?.kind === 'tooMany') throw new ApiError(429, 'An injected refusal: too many requests.')
  const over = inFlight.enter(plan.prompts.length * plan.n)
  // Only when the client has every byte, so that a drain cuts nobody off.
  if (reply.raw.destroyed) over()
  else reply.raw.once('close', over)
  context.answered(plan)
  if (fault?.kind === 'spike') await setTimeout(fault.ms)
  const start = (echoes: readonly string[] | null) => (onChange: () => void) =>
    generate(engine, plan, model.tokenizer, `${context.nextSerial()}:${identity.id}`, echoes, onChange)
  if (plan.isStreamed) {
    streamReply(reply.raw, {
      plan,
      chunks: chunks(),
      slowClientMs: context.slowClientMs,
      showsCachedTokens: model.showsCachedTokens,
      fault,
      start: start(streamedEchoes),
    })
    reply.hijack()
    return undefined
  }
  const answers = await collectAnswers(reply.raw, start(plan.echoes))
  if (answers === null) {
    reply.hijack()
    return undefined
  }
  const choices = answers.map(({choice}) => choice)
  return whole(answers, usageOf(plan, choices, model.showsCachedTokens))
}

function nowSeconds(): number {
  return Math.floor(Date.now() / 1000)
}

/** The client's `X-Request-Id`, or the body's `request_id`, becomes the base of the reply's id. */
function identify(
  prefix: string,
  request: FastifyRequest,
  bodyId: string | null | undefined,
  {systemFingerprint}: EngineAppContext,
): ReplyIdentity {
  const header = request.headers['x-request-id']
  const base = (typeof header === 'string' ? header : bodyId) || randomUUID().replaceAll('-', '')
  return {id: `${prefix}-${base}`, createdSeconds: nowSeconds(), systemFingerprint}
}
