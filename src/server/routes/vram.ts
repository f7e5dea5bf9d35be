import type {FastifyInstance} from 'fastify'
import {z} from 'zod'
import {VramWriter} from '../../lib/machine/index.js'
import type {ApiContext} from '../api-context.js'
import {HttpRefusal} from '../problem.js'
import {answer, jsonSchema} from '../schemas/json-schema.js'
import {problems} from '../schemas/problem.js'
import {streamQuery, vram, vram2, vramQuery, type StreamQuery, type VramQuery} from '../schemas/vram.js'
import {vramText, vramWish} from '../vram-answers.js'

const TAGS = ['vram']
/** A driver that hangs is not waited for longer: the look before is told, with a warning. */
const PATIENCE_MS = 1500
const INTERVAL_MS = {standard: 500, least: 100, most: 60_000}
const plain = (description: string): object => answer(description, z.string(), 'text/plain')

/** GPU memory as Blackbox serves it. */
export function vramRoutes(app: FastifyInstance, {feed, traffic, vramStreams}: ApiContext): void {
  const writer = new VramWriter()

  app.get<{Querystring: VramQuery}>(
    '/vram',
    {
      schema: {
        ...{tags: TAGS, operationId: 'getVram', summary: 'Memory, processes, KV blocks of GPUs and engines'},
        description: "Blackbox's document with kvctl's keys behind its own.",
        querystring: jsonSchema(vramQuery),
        response: {
          200: answer('One look', z.union([vram, vram2])),
          ...problems(400, 404, 503),
          500: plain('Internal Server Error'),
        },
      },
    },
    async (request, reply) => {
      const wish = vramWish(request.query)
      const text = vramText(await feed.look(PATIENCE_MS), wish, writer)
      return reply.header('content-type', 'application/json').send(Buffer.from(text))
    },
  )

  app.get<{Querystring: StreamQuery}>(
    '/vram/stream',
    {
      exposeHeadRoute: false,
      schema: {
        ...{tags: TAGS, operationId: 'streamVram', summary: 'The same each 500 ms, as server-sent events'},
        description: 'A client that reads too slowly misses looks.',
        querystring: jsonSchema(streamQuery),
        response: {
          200: answer('Events', z.string(), 'text/event-stream'),
          ...problems(400, 404, 503),
          500: plain('Internal Server Error'),
        },
      },
    },
    async (request, reply) => {
      const wish = {
        ...vramWish(request.query),
        intervalMs: intervalOf(request.query.interval_ms),
        isFull: request.query.sse === 'full',
      }
      // Said before the stream begins, because afterwards it could not.
      vramText(await feed.look(PATIENCE_MS), {...wish, blocks: 'none'}, writer)
      traffic.enterStream(reply.raw, () => {
        reply.header('content-type', 'text/event-stream').hijack()
        return vramStreams.broadcastFor(wish).join(reply.raw, reply.getHeaders())
      })
    },
  )
  app.head('/vram/stream', {schema: {hide: true}}, (_, reply) =>
    reply.header('content-type', 'text/event-stream').header('cache-control', 'no-cache').send(),
  )
}

function intervalOf(text: string | undefined): number {
  if (text === undefined) return INTERVAL_MS.standard
  const ms = Number(text)
  if (ms >= INTERVAL_MS.least && ms <= INTERVAL_MS.most) return ms
  throw new HttpRefusal(
    400,
    'REQUEST_INVALID',
    `interval_ms is ${INTERVAL_MS.least} to ${INTERVAL_MS.most}, not ${text}`,
  )
}
