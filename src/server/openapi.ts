import type {FastifyInstance} from 'fastify'

/** Everything comes from this server: no CDN, no validator elsewhere. Swagger UI styles its elements inline. */
const CONTENT_POLICY =
  "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; base-uri 'self'; frame-ancestors 'self'; object-src 'none'"

/** `/docs` and what `/openapi.json` reads; to be called before the routes it describes are added. */
export async function describeApi(app: FastifyInstance, version: string, hasToken: boolean): Promise<void> {
  const {default: swagger} = await import('@fastify/swagger')
  const {default: swaggerUi} = await import('@fastify/swagger-ui')
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'kvctl',
        version,
        description:
          'The KV cache of the inference engines on this machine. Failures are problem documents (RFC 9457) with a stable code.',
        license: {name: 'Apache-2.0', identifier: 'Apache-2.0'} as {name: string},
      },
      tags: [
        {name: 'vram', description: 'GPU memory, as Blackbox serves it'},
        {name: 'stats', description: 'GPU statistics, as vllm-chill serves them'},
        {name: 'segments', description: "kvcached's segments: limits and use"},
        {name: 'system', description: 'the server itself'},
        {name: 'cache', description: "LMCache's worker API"},
        {name: 'router', description: 'many models behind one door, asleep when idle'},
        {name: 'benchmark', description: 'benchmarks, one at a time; failures have an envelope of their own'},
      ],
      ...(hasToken && {
        components: {securitySchemes: {token: {type: 'http', scheme: 'bearer'}}},
        security: [{token: []}],
      }),
    },
  })
  await app.register(swaggerUi, {
    routePrefix: '/docs',
    staticCSP: CONTENT_POLICY,
    uiConfig: {validatorUrl: null},
  })
}
