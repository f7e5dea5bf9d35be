import {createServer, type RequestListener, type Server} from 'node:http'
import type {AddressInfo} from 'node:net'
import {expect} from 'chai'
import {askEngine, askStats} from '../../../src/lib/doctor/ask-servers.js'
import {createHttpClient, type HttpClient} from '../../../src/lib/http/index.js'

describe('doctor’s questions to servers', () => {
  const {signal} = new AbortController()
  let http: HttpClient
  let servers: Server[]

  beforeEach(() => {
    http = createHttpClient()
    servers = []
  })
  afterEach(async () => {
    await http.close()
    for (const server of servers) server.close()
  })
  const serve = async (listener: RequestListener): Promise<string> => {
    const server = createServer(listener).listen(0, '127.0.0.1')
    servers.push(server)
    await new Promise(resolve => server.once('listening', resolve))
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  }

  it('bring an engine’s health, version and figures', async () => {
    const pages: Record<string, string> = {
      '/health': '',
      '/version': '{"version":"0.11.0"}',
      '/metrics': 'vllm:kv_cache_usage_perc{engine="0"} 0.5\nvllm:num_requests_running{engine="0"} 3\n',
    }
    const url = await serve(({url = ''}, reply) => {
      reply.writeHead(url in pages ? 200 : 404, {'content-type': 'text/plain'}).end(pages[url])
    })
    const sight = await askEngine(http, `${url}/`, true, signal)
    expect(sight).to.include({status: 200, problem: null, version: '0.11.0'})
    expect(sight.figures).to.include({kvCacheUsage: 0.5, running: 3})
  })

  it('say why an engine could not be reached', async () => {
    const sight = await askEngine(http, 'http://127.0.0.1:1', true, signal)
    expect(sight.status).to.equal(null)
    expect(sight.problem).to.contain('http://127.0.0.1:1/health cannot be reached')
  })

  it("bring age, cache and errors of GPU figures, by the server's clock", async () => {
    let asked = 0
    const url = await serve(({headers}, reply) => {
      expect(headers.authorization).to.equal('Bearer t')
      reply.writeHead(200, {
        'content-type': 'application/json',
        'x-cache': asked++ === 0 ? 'MISS' : 'HIT',
        date: 'Sun, 09 Nov 2025 10:30:50 GMT',
      })
      reply.end('{"timestamp":"2025-11-09T10:30:45.000000Z","gpus":[]}')
    })
    const sight = await askStats(http, url, 't', signal)
    expect(sight).to.include({status: 200, error: null, ageMs: 5000, secondCache: 'HIT'})
    expect(sight.tookMs).to.be.above(0)
    const broken = await serve((_, reply) =>
      reply.writeHead(500).end('{"error":"Failed to query GPU: no GPUs found"}'),
    )
    expect(await askStats(http, broken, null, signal)).to.include({
      ...{status: 500, error: 'Failed to query GPU: no GPUs found', secondCache: null, ageMs: null},
    })
    expect((await askStats(http, 'http://127.0.0.1:1', null, signal)).problem).to.contain('cannot be reached')
  })
})
