import {expect} from 'chai'
import {z} from 'zod'
import {createApiApp} from '../../src/server/api-app.js'
import {FAMILY_NAMES} from '../../src/server/api-families.js'
import {readRepositoryFile} from '../support/cli.js'
import {serveStore, type ApiServer} from '../support/api-server.js'
import {GIB, segmentFolder, type SegmentFolder} from '../support/segments.js'

interface Media {
  readonly schema: Record<string, unknown>
}
interface Operation {
  readonly operationId: string
  readonly summary: string
  readonly tags: readonly string[]
  readonly parameters?: readonly {readonly in: string; readonly name: string; readonly required?: boolean}[]
  readonly responses: Readonly<Record<string, {description: string; content: Record<string, Media>}>>
}
type Paths = Readonly<Record<string, Readonly<Record<string, Operation>>>>

const schema = z.looseObject({})
const content = z.record(z.string().regex(/^[a-z]+\/[a-z+-]+$/), z.strictObject({schema}))
const operation = z.strictObject({
  operationId: z.string(),
  summary: z.string().min(1),
  description: z.string().optional(),
  tags: z.array(z.string()).min(1),
  security: z.array(z.record(z.string(), z.array(z.string()))).optional(),
  parameters: z
    .array(
      z.strictObject({
        schema,
        in: z.enum(['query', 'path']),
        name: z.string(),
        required: z.boolean(),
        description: z.string().min(1),
      }),
    )
    .optional(),
  requestBody: z.strictObject({content, required: z.boolean().optional()}).optional(),
  responses: z.record(
    z.string().regex(/^[1-5]\d\d$/),
    z.strictObject({description: z.string().min(1), content}),
  ),
})
/** The keys that OpenAPI 3.1 allows, of those that we use. @see OAI/OpenAPI-Specification:versions/3.1.0.md */
const openApi = z.strictObject({
  openapi: z.literal('3.1.0'),
  info: z.strictObject({
    title: z.string(),
    version: z.string(),
    description: z.string(),
    license: z.strictObject({name: z.string(), identifier: z.string()}),
  }),
  tags: z.array(z.strictObject({name: z.string(), description: z.string()})),
  components: z.strictObject({
    schemas: z.strictObject({}),
    securitySchemes: z.record(z.string(), z.strictObject({type: z.literal('http'), scheme: z.string()})),
  }),
  security: z.array(z.record(z.string(), z.array(z.string()))),
  paths: z.record(
    z.string().startsWith('/'),
    z.partialRecord(z.enum(['get', 'put', 'delete', 'post']), operation),
  ),
})

/** `METHOD /path` of each route in Fastify's drawing of its tree: a level is four characters further in. */
function routesIn(tree: string): string[] {
  const parents: string[] = []
  return [...tree.matchAll(/^(.*)── (\S*) ?(?:\(([^)]*)\))?$/gm)].flatMap(
    ([, indent = '', part = '', methods]) => {
      const depth = (indent.length - 1) / 4
      const path = (parents[depth - 1] ?? '') + part
      parents[depth] = path
      const shown = path.replaceAll(/:(\w+)/g, '{$1}')
      return methods === undefined ? [] : methods.split(', ').map(method => `${method} ${shown}`)
    },
  )
}

describe('the OpenAPI document of kvctl serve', () => {
  const known = {authorization: 'Bearer secret'}
  let folder: SegmentFolder
  let server: ApiServer
  let document: {paths: Paths; tags: {name: string}[]}
  before(async () => {
    folder = segmentFolder()
    folder.put('a', 8n * GIB, 6n * GIB)
    server = await serveStore(folder.store, {token: 'secret', isForThisMachine: false})
    document = (await (await server.get('/openapi.json', known)).json()) as typeof document
  })
  after(async () => {
    await server.close()
    folder.remove()
  })
  const operations = (): [string, string, Operation][] =>
    Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, one]): [string, string, Operation] => [method, path, one]),
    )

  it('has the shape that OpenAPI 3.1 asks for', () => {
    const {error} = openApi.safeParse(document)
    expect(error && z.prettifyError(error)).to.equal(undefined)
  })

  it('names each operation once, each parameter of its path, and only tags it explains', () => {
    const ids = operations().map(([, , {operationId}]) => operationId)
    expect(new Set(ids).size).to.equal(ids.length)
    for (const [method, path, {parameters = [], tags}] of operations()) {
      const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name)
      const described = parameters.filter(one => one.in === 'path' && one.required === true)
      expect(
        described.map(({name}) => name),
        `${method} ${path}`,
      ).to.have.members(inPath)
      expect(document.tags.map(({name}) => name)).to.include.members([...tags])
    }
  })

  it('describes every route, and docs/api.md lists them', async () => {
    const page = readRepositoryFile('docs/api.md')
    const described = operations().map(([method, path]) => `${method.toUpperCase()} ${path}`)
    const listed = [...page.matchAll(/^\| `((?:GET|PUT|DELETE|POST) \/\S+)` \|/gm)].map(([, route]) => route)
    expect(described).to.have.members(listed.filter(route => route !== 'GET /docs'))
    const app = await createApiApp(server.context, {
      ...{families: FAMILY_NAMES, token: null, isForThisMachine: true, corsOrigins: []},
    })
    const real = routesIn(app.printRoutes({commonPrefix: false}))
    await app.close()
    // What else engines have below /v1 is theirs to describe.
    const undescribed = real.filter(
      route => !route.startsWith('HEAD ') && !route.endsWith('*') && !described.includes(route),
    )
    expect(undescribed.filter(route => !route.startsWith('GET /docs'))).to.deep.equal([])
    expect(real).to.include.members(described)
  })

  it('tells the truth about every answer in JSON', async () => {
    const check = async (method: string, path: string, response: Response): Promise<void> => {
      const [type = ''] = response.headers.get('content-type')!.split(';')
      const media = document.paths[path]![method]!.responses[response.status]?.content[type]
      expect(media, `${method} ${path} ${response.status} ${type}`).to.not.equal(undefined)
      const shape = z.fromJSONSchema(media!.schema)
      const {error} = shape.safeParse(type.endsWith('json') ? await response.json() : await response.text())
      expect(error && z.prettifyError(error), `${method} ${path}`).to.equal(undefined)
    }
    const put = async (body: unknown): Promise<Response> =>
      fetch(`${server.url}/segments/a`, {
        method: 'PUT',
        headers: {...known, 'content-type': 'application/json'},
        body: JSON.stringify(body),
      })
    for (const path of ['/segments', '/health', '/metrics', '/api/v1/version', '/openapi.json'])
      await check('get', path, await server.get(path, known))
    await check('get', '/segments/{name}', await server.get('/segments/a', known))
    await check('get', '/segments/{name}', await server.get('/segments/none', known))
    for (const body of [{limit: '7G'}, {limit: '99G'}, {}])
      await check('put', '/segments/{name}', await put(body))
    for (const status of [200, 404]) {
      const gone = await fetch(`${server.url}/segments/a?force=true`, {method: 'DELETE', headers: known})
      expect(gone.status).to.equal(status)
      await check('delete', '/segments/{name}', gone)
    }
  })

  it('stands beside metrics whose names docs/api.md lists', async () => {
    const page = await (await server.get('/metrics', known)).text()
    const names = [...page.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name)
    const listed = [
      ...readRepositoryFile('docs/api.md').matchAll(/^\| `((?:kvctl_|process_|lmcache:)\w+)` \|/gm),
    ].map(([, name]) => name)
    expect(names).to.have.members(listed)
  })
})
