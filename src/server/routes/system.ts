import {constants, existsSync} from 'node:fs'
import {access} from 'node:fs/promises'
import {dirname} from 'node:path'
import type {FastifyInstance} from 'fastify'
import {z} from 'zod'
import type {ApiContext} from '../api-context.js'
import {answer} from '../schemas/json-schema.js'
import {problems} from '../schemas/problem.js'
import {health, version} from '../schemas/system.js'
import {sharedFor} from '../shared-for.js'

const TAGS = ['system']
const HEALTH_AGE_MS = 1000

/** About the server itself. `/health` is open to all, so what it looks at is looked at once a second at most. */
export function systemRoutes(app: FastifyInstance, context: ApiContext): void {
  const {clock, metrics, traffic} = context
  const look = sharedFor(HEALTH_AGE_MS, clock, () => checksOf(context))

  app.get(
    '/health',
    {
      schema: {
        ...{tags: TAGS, operationId: 'getHealth', summary: 'Whether the server serves; needs no token'},
        security: [],
        response: {200: answer('It serves', health), 503: answer('It is shutting down', health)},
      },
    },
    async (_, reply) => {
      const checks = await look()
      const isWell = [checks.segments, checks.output_dir].every(check => check?.status !== 'failed')
      const status = traffic.isDraining ? 'unavailable' : isWell ? 'healthy' : 'degraded'
      return reply.code(traffic.isDraining ? 503 : 200).send({
        status,
        version: context.version,
        uptime_seconds: Math.round((clock.nowNs() - context.startedNs) / 1e6) / 1000,
        checks,
      })
    },
  )
  app.get(
    '/metrics',
    {
      schema: {
        ...{tags: TAGS, operationId: 'getMetrics', summary: 'Figures for Prometheus'},
        response: {200: answer('Text format 0.0.4', z.string(), 'text/plain'), ...problems(503)},
      },
    },
    async (_, reply) => {
      const page = await metrics.page()
      return reply.type(metrics.contentType).send(page)
    },
  )
  app.get(
    '/api/v1/version',
    {
      schema: {
        ...{tags: TAGS, operationId: 'getVersion', summary: 'Versions of kvctl and Node.js'},
        response: {200: answer('The versions', version), ...problems(503)},
      },
    },
    () => ({name: 'kvctl', version: context.version, node_version: process.versions.node}),
  )
  app.get(
    '/openapi.json',
    {
      schema: {
        ...{tags: TAGS, operationId: 'getOpenApi', summary: 'This document'},
        response: {200: answer('OpenAPI 3.1', z.looseObject({openapi: z.string()})), ...problems(503)},
      },
    },
    () => app.swagger(),
  )
}

interface Check {
  readonly status: 'ok' | 'failed'
  readonly detail: string
}

interface Checks {
  readonly segments: Check
  readonly output_dir?: Check
}

async function checksOf(context: ApiContext): Promise<Checks> {
  const {jobs} = context
  const [segments, outputDir] = await Promise.all([segmentsCheck(context), jobs && folderCheck(jobs.folder)])
  return {segments, ...(outputDir !== null && {output_dir: outputDir})}
}

async function folderCheck(folder: string): Promise<Check> {
  try {
    // Made with the first run, when there is none.
    let nearest = folder
    while (!existsSync(nearest)) nearest = dirname(nearest)
    await access(nearest, constants.W_OK)
    return {status: 'ok', detail: folder}
  } catch (error) {
    return {status: 'failed', detail: error instanceof Error ? error.message : String(error)}
  }
}

async function segmentsCheck({segments}: ApiContext): Promise<Check> {
  try {
    const count = (await segments.list()).length
    return {status: 'ok', detail: `${count} ${count === 1 ? 'segment' : 'segments'}`}
  } catch (error) {
    return {status: 'failed', detail: error instanceof Error ? error.message : String(error)}
  }
}
