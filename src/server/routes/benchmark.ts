import type {FastifyInstance, FastifyRequest} from 'fastify'
import {z} from 'zod'
import {planJson} from '../../lib/bench/index.js'
import {createTicker, ResourceError} from '../../lib/foundation/index.js'
import {
  findRun,
  jobRequestSchema,
  listStoredRuns,
  parseJobRequest,
  planJob,
  readView,
  storedRun,
  type BenchJobs,
  type PostedJob,
} from '../../lib/jobs/index.js'
import {inspectProfile, shippedProfiles} from '../../lib/profiles/index.js'
import type {ApiContext} from '../api-context.js'
import {benchmarkErrorOf, benchmarkErrors, RunOpenError} from '../benchmark-error.js'
import {createBroadcast} from '../broadcast.js'
import {HttpRefusal} from '../problem.js'
import {
  accepted,
  cancelled,
  dryRun,
  job,
  profiles,
  resultsQuery,
  runParams,
  runs,
  runsQuery,
  status,
  statusQuery,
} from '../schemas/benchmark.js'
import {answer, jsonSchema} from '../schemas/json-schema.js'

const TAGS = ['benchmark']
const MAX_BODY_BYTES = 1024 * 1024
const EVENT_INTERVAL_MS = 1000
const RUNS_A_PAGE = {standard: 50, most: 200}
const KEY = /^[\x21-\x7e]{1,255}$/

interface OneRun {
  readonly Params: z.output<typeof runParams>
}

/** Benchmarks over HTTP, one at a time. @see Siryoos/kserve-vllm-mini:docs/API.md — HTTP endpoints */
export function benchmarkRoutes(app: FastifyInstance, context: ApiContext): void {
  void app.register((scope, _, done) => {
    scope.setErrorHandler((error, _, reply) => {
      const {status: code, body} = benchmarkErrorOf(error)
      if (code === 500) context.logger.error(error instanceof Error ? error.stack! : String(error))
      if (code === 503 || code === 429) reply.header('retry-after', '1')
      return reply.code(code).send(body)
    })
    benchmarkRuns(scope, context)
    storedRuns(scope, context)
    done()
  })
}

function benchmarkRuns(app: FastifyInstance, context: ApiContext): void {
  const {traffic, logger, slowClientMs} = context
  const ticker = createTicker(
    () => statusJson(jobsOf(context)),
    EVENT_INTERVAL_MS,
    error => logger.warn(`looking at runs failed: ${String(error)}`),
  )
  const events = createBroadcast(ticker, look => JSON.stringify(look), slowClientMs)

  app.post(
    '/api/v1/benchmark',
    {
      bodyLimit: MAX_BODY_BYTES,
      attachValidation: true,
      schema: {
        ...{
          tags: TAGS,
          operationId: 'startBenchmark',
          summary: 'Queue a benchmark, or with dry_run plan one',
        },
        description:
          'Options of kvctl bench in snake case. One run at a time, 16 waiting and running. The header Idempotency-Key gives the first answer again.',
        body: jsonSchema(jobRequestSchema),
        response: {
          200: answer('The plan of a dry run', dryRun),
          202: answer('Queued', accepted),
          ...benchmarkErrors(400, 413, 422, 429, 503),
        },
      },
    },
    async (request, reply) => {
      const jobs = jobsOf(context)
      const wanted = parseJobRequest(request.body)
      if (wanted.dry_run) {
        const {ask, warnings} = await planJob(wanted, jobs.targets)
        return reply.send({valid: true, plan: planJson(ask), warnings})
      }
      const posted = await jobs.post(wanted, keyOf(request))
      const body = acceptedJson(posted)
      return reply.code(202).header('location', body.links.status).send(body)
    },
  )

  app.delete<OneRun>(
    '/api/v1/benchmark/:run_id',
    {
      schema: {
        ...{tags: TAGS, operationId: 'cancelBenchmark', summary: 'Cancel a run; what was measured is kept'},
        params: jsonSchema(runParams),
        response: {202: answer('Told to stop', cancelled), ...benchmarkErrors(404, 409, 503)},
      },
    },
    async (request, reply) => {
      const {run_id, status: now} = await jobsOf(context).cancel(request.params.run_id)
      return reply.code(202).send({run_id, status: now})
    },
  )

  app.get<{Querystring: z.output<typeof statusQuery>}>(
    '/api/v1/status',
    {
      exposeHeadRoute: false,
      schema: {
        ...{tags: TAGS, operationId: 'getBenchmarkStatus', summary: 'What runs, what waits, what ended'},
        description: 'With Accept: text/event-stream the same each second, as server-sent events.',
        querystring: jsonSchema(statusQuery),
        response: {
          200: {
            description: 'The state, or one run',
            content: {
              'application/json': {schema: jsonSchema(z.union([status, job]))},
              'text/event-stream': {schema: jsonSchema(z.string())},
            },
          },
          ...benchmarkErrors(400, 404, 503),
        },
      },
    },
    (request, reply) => {
      const jobs = jobsOf(context)
      const {run_id} = request.query
      if (run_id === undefined && request.headers.accept?.includes('text/event-stream') === true) {
        traffic.enterStream(reply.raw, () => {
          reply.hijack()
          return events.join(reply.raw, reply.getHeaders())
        })
        return
      }
      if (run_id === undefined) return reply.send(statusJson(jobs))
      const found = jobs.find(run_id)
      if (found === null) throw new ResourceError('RUN_NOT_FOUND', `no run ${run_id} was asked for here`)
      return reply.send(found)
    },
  )
}

function storedRuns(app: FastifyInstance, context: ApiContext): void {
  app.get<{Querystring: z.output<typeof runsQuery>}>(
    '/api/v1/results',
    {
      schema: {
        ...{tags: TAGS, operationId: 'listResults', summary: 'Runs in the output folder, newest first'},
        querystring: jsonSchema(runsQuery),
        response: {200: answer('One page', runs), ...benchmarkErrors(400, 503)},
      },
    },
    async request => {
      const {limit, cursor} = request.query
      const wanted = limit === undefined ? RUNS_A_PAGE.standard : Number(limit)
      const most = Math.min(Math.max(1, wanted), RUNS_A_PAGE.most)
      return listStoredRuns(jobsOf(context).folder, most, cursor ?? null)
    },
  )

  app.get<OneRun & {Querystring: z.output<typeof resultsQuery>}>(
    '/api/v1/results/:run_id',
    {
      schema: {
        ...{tags: TAGS, operationId: 'getResults', summary: 'results.json of a run, or another view of it'},
        description:
          'view=analysis is analysis.json, view=report the HTML page, view=requests the CSV of all requests.',
        params: jsonSchema(runParams),
        querystring: jsonSchema(resultsQuery),
        response: {
          200: {
            description: 'What the run left',
            content: {
              'application/json': {schema: jsonSchema(z.looseObject({}))},
              'text/html': {schema: jsonSchema(z.string())},
              'text/csv': {schema: jsonSchema(z.string())},
            },
          },
          ...benchmarkErrors(400, 404, 409, 503),
        },
      },
    },
    async (request, reply) => {
      const jobs = jobsOf(context)
      const {folder} = jobs
      const {run_id} = request.params
      const run = await findRun(folder, run_id)
      const known = run && (await storedRun(folder, run.runId))
      if (run === null || known === null)
        throw new ResourceError('RUN_NOT_FOUND', `there is no run ${run_id}`)
      // What is remembered is ahead of the file.
      const now = jobs.find(run.runId)?.status ?? known.status
      if (now === 'queued' || now === 'running') throw new RunOpenError(run_id, now)
      // Fastify fills no defaults in what it does not coerce.
      const {view} = resultsQuery.parse(request.query)
      if (view === 'report') {
        return reply
          .type('text/html; charset=utf-8')
          .header('content-security-policy', REPORT_POLICY)
          .send(await readView(run, view))
      }
      if (view === 'requests') return reply.type('text/csv; charset=utf-8').send(await readView(run, view))
      if (now !== 'failed') return JSON.parse(await readView(run, view)) as unknown
      // A failed run gives what there is.
      const text = await readView(run, view).catch(() => '{}')
      return {run_id: run.runId, ...(JSON.parse(text) as object), status: 'failed'}
    },
  )

  app.get(
    '/api/v1/profiles',
    {
      schema: {
        ...{tags: TAGS, operationId: 'listProfiles', summary: 'Profiles that come with kvctl'},
        response: {200: answer('By name', profiles), ...benchmarkErrors(503)},
      },
    },
    async () => {
      const names = await shippedProfiles()
      const found = await Promise.all(names.map(name => inspectProfile(`runners/profiles/${name}.yaml`)))
      return {
        profiles: found.map(({profile}, index) => ({
          name: names[index]!,
          description: profile.metadata.description ?? null,
        })),
      }
    },
  )
}

/** A report is a page without script; opened from here it may not get one. */
const REPORT_POLICY =
  "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"

function jobsOf({jobs}: ApiContext): BenchJobs {
  if (jobs !== null) return jobs
  throw new HttpRefusal(503, 'BENCHMARKS_UNAVAILABLE', 'This server runs no benchmarks.')
}

function keyOf({headers}: FastifyRequest): string | null {
  const key = headers['idempotency-key']
  if (key === undefined) return null
  if (typeof key === 'string' && KEY.test(key)) return key
  throw new HttpRefusal(400, 'REQUEST_INVALID', 'Idempotency-Key takes up to 255 visible characters.')
}

function acceptedJson({job: {run_id, status: now}, position}: PostedJob): z.output<typeof accepted> {
  return {
    run_id,
    status: now,
    position,
    links: {status: `/api/v1/status?run_id=${run_id}`, results: `/api/v1/results/${run_id}`},
  }
}

function statusJson(jobs: BenchJobs): z.output<typeof status> {
  const {active, queued, recent} = jobs.status()
  return {
    state: active === null ? 'idle' : 'running',
    active,
    queued: [...queued],
    recent: [...recent],
  }
}
