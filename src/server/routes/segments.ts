import type {FastifyInstance} from 'fastify'
import {z} from 'zod'
import {parseSize} from '../../lib/foundation/index.js'
import {
  awaitLimit,
  limitJson,
  lookAtSegments,
  removeSegment,
  segmentJson,
  setLimit,
  type LimitRequest,
} from '../../lib/segments/index.js'
import type {ApiContext} from '../api-context.js'
import {HttpRefusal} from '../problem.js'
import {answer, jsonSchema} from '../schemas/json-schema.js'
import {problems} from '../schemas/problem.js'
import {deleted, deletion, limitChange, limitChanged, segment, segmentName} from '../schemas/segments.js'

const TAGS = ['segments']
const ANY_INT64 = -(2n ** 63n)
const PATIENCE_MS = 10_000

interface OneSegment {
  readonly Params: z.output<typeof segmentName>
}

/** KV-cache segments over HTTP: what `kvctl list`, `watch`, `limit` and `delete` show and do, with their refusals. */
export function segmentRoutes(app: FastifyInstance, context: ApiContext): void {
  const {segments, traffic, clock} = context
  const params = jsonSchema(segmentName)

  app.get(
    '/segments',
    {
      schema: {
        ...{tags: TAGS, operationId: 'listSegments', summary: 'Every segment, by name'},
        response: {200: answer('As kvctl list --json', z.array(segment)), ...problems(503)},
      },
    },
    async () => (await lookAtSegments(segments, [])).looks.map(segmentJson),
  )

  app.get(
    '/segments/stream',
    {
      exposeHeadRoute: false,
      schema: {
        ...{tags: TAGS, operationId: 'streamSegments', summary: 'Every segment, each second'},
        description: 'Server-sent events: {"time", "segments"}. A client that reads too slowly misses looks.',
        response: {200: answer('Events', z.string(), 'text/event-stream'), ...problems(503)},
      },
    },
    (_, reply) => {
      traffic.enterStream(reply.raw, () => {
        reply.hijack()
        return context.segmentEvents.join(reply.raw, reply.getHeaders())
      })
    },
  )

  app.get<OneSegment>(
    '/segments/:name',
    {
      schema: {
        ...{tags: TAGS, operationId: 'getSegment', summary: 'One segment', params},
        response: {200: answer('As kvctl list --json', segment), ...problems(403, 404, 422)},
      },
    },
    async request => {
      const {looks, missing} = await lookAtSegments(segments, [request.params.name])
      if (missing[0]) throw missing[0].reason
      return segmentJson(looks[0]!)
    },
  )

  app.put<OneSegment & {Body: z.output<typeof limitChange>}>(
    '/segments/:name',
    {
      schema: {
        ...{tags: TAGS, operationId: 'setLimit', summary: "Set a segment's limit", params},
        body: jsonSchema(limitChange),
        response: {
          200: answer('As kvctl limit --json', limitChanged),
          ...problems(400, 403, 404, 409, 422, 503),
        },
      },
    },
    async (request, reply) => {
      const patience = {clock, timeoutMs: PATIENCE_MS, signal: traffic.signalFor(reply.raw)}
      const written = await setLimit(segments, request.params.name, limitRequest(request.body), patience)
      return limitJson(request.body.wait ? await awaitLimit(segments, written, patience) : written)
    },
  )

  app.delete<OneSegment & {Querystring: z.output<typeof deletion>}>(
    '/segments/:name',
    {
      schema: {
        ...{
          tags: TAGS,
          operationId: 'deleteSegment',
          summary: 'Remove the segment of an engine that is gone',
        },
        params,
        querystring: jsonSchema(deletion),
        response: {200: answer('It is gone', deleted), ...problems(400, 403, 404, 409, 422, 503)},
      },
    },
    async (request, reply) => {
      const isForced = request.query.force === 'true'
      const signal = traffic.signalFor(reply.raw)
      return {ipc: await removeSegment(segments, request.params.name, {isForced, signal}), deleted: true}
    },
  )
}

function limitRequest({limit, restore, force}: z.output<typeof limitChange>): LimitRequest {
  if ((limit === undefined) !== (restore === true))
    throw new HttpRefusal(400, 'REQUEST_INVALID', 'give either limit or restore')
  if (limit === undefined) return {limitBytes: null, isForced: force}
  return {
    limitBytes: typeof limit === 'number' ? BigInt(limit) : parseSize(limit, ANY_INT64),
    isForced: force,
  }
}
