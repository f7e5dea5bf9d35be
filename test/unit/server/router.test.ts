import {once} from 'node:events'
import {connect} from 'node:net'
import {expect} from 'chai'
import {parseYaml} from '../../../src/lib/config/index.js'
import {controllerConfigOf} from '../../../src/lib/router/index.js'
import {serveStore, type ApiServer} from '../../support/api-server.js'
import {freePort} from '../../support/free-port.js'
import {segmentFolder, type SegmentFolder} from '../../support/segments.js'
import {eventStream, standInEngine, type StandInEngine} from '../../support/stand-in-engine.js'

const FAST = `
router: {wait_timeout_seconds: 5, retry_seconds: 1, request_timeout_seconds: 5, health_interval_seconds: 3600, max_waiting: 8}
sleep_manager: {min_sleep_duration: 0, min_awake_duration: 0}`

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise(resolve => setTimeout(resolve, 2))
}

describe('the router over a socket', () => {
  let folder: SegmentFolder
  let vllm: StandInEngine
  let other: StandInEngine
  let sglang: StandInEngine
  let server: ApiServer

  const configure = (extra = ''): ReturnType<typeof controllerConfigOf> =>
    controllerConfigOf(
      parseYaml(
        `${FAST}
instances:
  - {model: m, engine: vllm, url: "${vllm.url}"}
  - {model: two, engine: vllm, url: "${vllm.url}"}
  - {model: two, engine: vllm, url: "${other.url}"}
  - {model: org/s, engine: sglang, url: "${sglang.url}"}
${extra}`,
        'test.yaml',
      ),
      {},
    )
  const start = async (extra = '', overrides: Parameters<typeof serveStore>[1] = {}): Promise<void> => {
    server = await serveStore(folder.store, {controller: configure(extra), ...overrides})
  }
  const post = (path: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> =>
    fetch(server.url + path, {
      method: 'POST',
      headers: {'content-type': 'application/json', ...headers},
      body: typeof body === 'string' ? body : JSON.stringify(body),
    })
  const json = async (path: string): Promise<Record<string, unknown>> =>
    (await (await server.get(path)).json()) as Record<string, unknown>

  beforeEach(async () => {
    folder = segmentFolder()
    ;[vllm, other, sglang] = await Promise.all([
      standInEngine('vllm'),
      standInEngine('vllm'),
      standInEngine('sglang'),
    ])
    for (const engine of [vllm, other, sglang])
      engine.on(
        '/v1/completions',
        (call, response) => void response.writeHead(200, {'content-type': 'application/json'}).end(call.body),
      )
  })
  afterEach(async () => {
    await server.close()
    await Promise.all([vllm, other, sglang].map(engine => engine.close()))
    folder.remove()
  })

  describe('passes through', () => {
    it('method, path, query, headers and body of a request as they came', async () => {
      await start()
      const body = '{ "model":"m",  "prompt":"\\u00e9", "n":1e0 }'
      await post('/v1/completions?a=1&b=%20', body, {
        ...{authorization: 'Bearer mine', 'x-request-id': 'r-1', traceparent: '00-a', 'x-kvctl-token': 't'},
      })
      const call = vllm.calls.find(({url}) => url.startsWith('/v1/completions'))!
      expect([call.method, call.url, call.body]).to.deep.equal(['POST', '/v1/completions?a=1&b=%20', body])
      expect(call.headers).to.include({
        ...{authorization: 'Bearer mine', 'x-request-id': 'r-1', traceparent: '00-a'},
        host: new URL(vllm.url).host,
      })
      expect(call.headers).to.not.have.property('x-kvctl-token')
    })

    it('the status, headers and body of every answer', async () => {
      await start()
      for (const status of [200, 201, 400, 401, 404, 422, 429, 500, 501, 503]) {
        const body = `{"error":{"message":"said with ${status}"}}`
        vllm.on('/v1/completions', (_, response) => {
          response.writeHead(status, 'As The Engine Says', [
            ...['content-type', 'application/json', 'X-Own', 'a', 'set-cookie', '1', 'set-cookie', '2'],
            ...['retry-after', '7', 'connection', 'keep-alive, x-hop', 'x-hop', '1'],
          ])
          response.end(body)
        })
        const answer = await post('/v1/completions', {model: 'm', prompt: 'x'})
        expect([answer.status, answer.statusText, await answer.text()]).to.deep.equal([
          ...[status, 'As The Engine Says', body],
        ])
        expect(answer.headers.get('x-own')).to.equal('a')
        expect(answer.headers.getSetCookie()).to.deep.equal(['1', '2'])
        expect(answer.headers.get('retry-after')).to.equal('7')
        expect(answer.headers.get('x-hop')).to.equal(null)
      }
    })

    it('a stream, byte for byte and event by event', async () => {
      await start()
      const events = ['data: {"a":1}\n\n', ': comment\n\n', 'data: {"b":"é🙂"}\r\n\r\n', 'data: [DONE]\n\n']
      let send: ((event: string) => void) | null = null
      vllm.on('/v1/chat/completions', (_, response) => {
        eventStream(response).flushHeaders()
        send = event => {
          if (event === '') response.end()
          else response.write(event)
        }
      })
      const answer = await post('/v1/chat/completions', {model: 'm', messages: [], stream: true})
      expect(answer.headers.get('content-type')).to.equal('text/event-stream; charset=utf-8')
      const reader = answer.body!.getReader()
      const got: string[] = []
      for (const event of events) {
        send!(event)
        const {value} = await reader.read()
        got.push(Buffer.from(value).toString('utf8'))
      }
      send!('')
      expect((await reader.read()).done).to.equal(true)
      expect(got).to.deep.equal(events)
    })

    it('a request of unknown length, which goes through the framework, in the same way', async () => {
      await start()
      const answers: unknown[] = []
      for (const isChunked of [false, true]) {
        for (const body of ['{"model":"m"}', '{"model":"x"}', '{"model":', '{}']) {
          const answer = await fetch(`${server.url}/v1/completions?a=1`, {
            ...{method: 'POST', headers: {'content-type': 'application/json', 'x-own': 'a'}},
            ...(isChunked ? {body: new Blob([body]).stream(), duplex: 'half'} : {body}),
          })
          const headers = Object.fromEntries(answer.headers)
          delete headers['date']
          answers.push({status: answer.status, headers, body: await answer.text()})
        }
      }
      expect(answers.slice(4)).to.deep.equal(answers.slice(0, 4))
      const [known, unknown] = vllm.calls
        .filter(({url}) => url === '/v1/completions?a=1')
        .map(({method, body, headers}) => ({method, body, headers}))
      expect(unknown).to.deep.equal(known)
      const page = await (await server.get('/metrics')).text()
      for (const [status, count] of [
        [200, 2],
        [404, 2],
        [400, 4],
      ])
        expect(page).to.include(
          `kvctl_http_requests_total{method="POST",route="/v1/completions",status="${status}"} ${count}\n`,
        )
    })

    it('GET, other paths, and a body that is a form, by their model', async () => {
      vllm.on('/v1/audio/transcriptions', ({body}, response) => void response.end(String(body.length)))
      vllm.on('/v1/responses/r1', (_, response) => void response.end('stored'))
      await start()
      const form = new FormData()
      form.set('file', new Blob(['x'.repeat(200_000)]), 'a.wav')
      form.set('model', 'm')
      const answer = await fetch(`${server.url}/v1/audio/transcriptions`, {method: 'POST', body: form})
      expect(Number(await answer.text())).to.be.above(200_000)
      expect(await (await server.get('/v1/responses/r1?model=m')).text()).to.equal('stored')
    })

    it("its own key in place of the client's where the model has one", async () => {
      await start('models: {m: {api_key: secret}}')
      await post('/v1/completions', {model: 'm'}, {authorization: 'Bearer mine'})
      expect(vllm.calls.find(({url}) => url === '/v1/completions')!.headers.authorization).to.equal(
        'Bearer secret',
      )
    })
  })

  describe('refuses in the words of OpenAI', () => {
    const refusals: [string, string, number, RegExp, string | null][] = [
      ['no model', '{"prompt":"x"}', 400, /^model parameter is required$/, 'model'],
      ['a model that is no text', '{"model":3}', 400, /^model parameter is required$/, 'model'],
      ['invalid JSON', '{"model":', 400, /not valid JSON/, null],
      ['an unknown model', '{"model":"x"}', 404, /^The model `x` does not exist\.$/, 'model'],
    ]
    for (const [what, body, status, message, param] of refusals) {
      it(what, async () => {
        await start()
        const answer = await post('/v1/completions', body)
        expect(answer.status).to.equal(status)
        const {error} = (await answer.json()) as {error: Record<string, unknown>}
        expect(error['message']).to.match(message)
        expect([error['param'], error['code']]).to.deep.equal([param, status])
      })
    }

    it('clients that lack the token of the server, which engines never see', async () => {
      await start('', {token: 'secret', isForThisMachine: false})
      const refused = await post('/v1/completions', {model: 'm'}, {authorization: 'Bearer secret'})
      expect(refused.status).to.equal(401)
      expect(await refused.json()).to.have.nested.property('error.code', 401)
      const passed = await post('/v1/completions', {model: 'm'}, {'x-kvctl-token': 'secret'})
      expect(passed.status).to.equal(200)
      expect((await server.get('/models', {authorization: 'Bearer secret'})).status).to.equal(200)
      expect((await server.get('/models')).status).to.equal(401)
    })
  })

  describe('lists models', () => {
    it('as their engines describe them, and those that do not answer by name', async () => {
      vllm.on('/v1/models', (_, response) => {
        const card = {id: 'm', object: 'model', created: 1, owned_by: 'vllm', max_model_len: 4096}
        response.end(JSON.stringify({object: 'list', data: [card]}))
      })
      await start()
      const {data} = await json('/v1/models')
      expect((data as Record<string, unknown>[]).map(({id, owned_by: owner}) => [id, owner])).to.deep.equal([
        ['m', 'vllm'],
        ['two', 'kvctl'],
        ['org/s', 'kvctl'],
      ])
      expect(await json('/v1/models/m')).to.include({id: 'm', max_model_len: 4096})
      expect(await json(`/v1/models/${encodeURIComponent('org/s')}`)).to.include({id: 'org/s'})
      expect((await server.get('/v1/models/none')).status).to.equal(404)
    })
  })

  describe('when an engine fails', () => {
    it('before the first byte, the request moves to another one', async () => {
      await start()
      vllm.on('/v1/completions', (_, response) => void response.socket!.destroy())
      for (let index = 0; index < 4; index++) {
        const answer = await post('/v1/completions', {model: 'two', prompt: 'x'}, {'x-kvctl-decision': '1'})
        expect(answer.status).to.equal(200)
        expect(JSON.parse(answer.headers.get('x-kvctl-decision')!)).to.include({replica: other.url})
      }
      expect(await (await server.get('/metrics')).text()).to.match(
        /^kvctl_router_retries_total\{model="two",reason="broken"\} [1-3]$/m,
      )
    })

    it('with 503, another one is asked; with nobody else the answer stands as it was sent', async () => {
      await start()
      const busy = (name: string) => (_: unknown, response: import('node:http').ServerResponse) =>
        void response.writeHead(503, {'x-engine': name}).end('busy')
      vllm.on('/v1/completions', busy('vllm'))
      expect((await post('/v1/completions', {model: 'two'})).status).to.equal(200)
      other.on('/v1/completions', busy('other'))
      const answer = await post('/v1/completions', {model: 'two'})
      expect([answer.status, await answer.text()]).to.deep.equal([503, 'busy'])
    })

    it('that is not there, the request waits for it, up to its time', async () => {
      const port = await freePort()
      await start(`  - {model: late, engine: vllm, url: "http://127.0.0.1:${port}"}`)
      const refused = await post('/v1/completions', {model: 'late'})
      expect(refused.status).to.equal(502)
      expect(await refused.json())
        .to.have.nested.property('error.message')
        .that.matches(/ECONNREFUSED/)
      const waiting = post('/v1/completions', {model: 'late'})
      const late = await standInEngine('vllm', port)
      late.on('/v1/completions', (_, response) => void response.end('there'))
      expect(await (await waiting).text()).to.equal('there')
      await late.close()
    })

    it('within a stream, the client gets an error event and no [DONE]', async () => {
      await start()
      vllm.on('/v1/completions', (_, response) => {
        eventStream(response).write('data: {"a":1}\n\n', () => response.socket!.destroy())
      })
      const text = await (await post('/v1/completions', {model: 'two', stream: true})).text()
      const events = text.split('\n\n')
      expect(events).to.have.length(3)
      expect(events[0]).to.equal('data: {"a":1}')
      expect(JSON.parse(events[1]!.slice('data: '.length))).to.have.nested.property('error.code', 502)
    })

    it('within another answer, the connection breaks', async () => {
      await start()
      vllm.on('/v1/completions', (_, response) => {
        response.writeHead(200, {'content-length': '100'})
        response.write('half', () => response.socket!.destroy())
      })
      const answer = await post('/v1/completions', {model: 'm'})
      expect(await answer.text().catch(() => 'broken')).to.equal('broken')
    })

    it('by silence, the answer is 504', async () => {
      vllm.on('/v1/completions', () => {})
      server = await serveStore(folder.store, {
        controller: {
          ...configure(),
          limits: {waitMs: 5000, requestMs: 200, retryMs: 0, healthIntervalMs: 1e6},
        },
      })
      const answer = await post('/v1/completions', {model: 'm'})
      expect(answer.status).to.equal(504)
    })
  })

  describe('behind a gateway', () => {
    const DESTINATION = 'x-gateway-destination-endpoint'
    const endpoint = ({url}: StandInEngine): string => new URL(url).host

    it('asks the engine that the endpoint picker named, and says which one it was', async () => {
      await start()
      for (const engine of [other, vllm, other]) {
        const before = engine.orders.length
        const headers = {[DESTINATION]: endpoint(engine), 'x-kvctl-decision': '1'}
        const answer = await post('/v1/completions', {model: 'two'}, headers)
        expect(answer.headers.get(`${DESTINATION}-served`)).to.equal(endpoint(engine))
        expect(JSON.parse(answer.headers.get('x-kvctl-decision')!)).to.include({
          ...{replica: engine.url, reason: 'destination'},
        })
        expect(engine.orders).to.have.length(before + 1)
      }
      const plain = await post('/v1/completions', {model: 'two'})
      expect(plain.headers.has(`${DESTINATION}-served`)).to.equal(false)
    })

    it('goes on to the next one that was named, and to no other', async () => {
      await start()
      const gone = endpoint(other)
      await other.close()
      const both = await post(
        '/v1/completions',
        {model: 'two'},
        {[DESTINATION]: `${gone}, ${endpoint(vllm)}`},
      )
      expect([both.status, both.headers.get(`${DESTINATION}-served`)]).to.deep.equal([200, endpoint(vllm)])
      const before = vllm.orders.length
      const alone = await post('/v1/completions', {model: 'two'}, {[DESTINATION]: gone})
      expect([alone.status, vllm.orders.length]).to.deep.equal([502, before])
      other = await standInEngine('vllm')
    })

    it('asks nobody who is not configured for the model', async () => {
      await start()
      const answer = await post('/v1/completions', {model: 'm'}, {[DESTINATION]: endpoint(other)})
      expect([answer.status, answer.headers.get('retry-after')]).to.deep.equal([503, '1'])
      expect(await answer.json()).to.have.nested.property(
        'error.message',
        `None of the engines of \`m\` is at ${endpoint(other)}.`,
      )
      expect(other.orders).to.deep.equal([])
    })
  })

  describe('when a client', () => {
    it('leaves, the engine is told at once, and nothing counts as sent', async () => {
      await start()
      vllm.on('/v1/completions', (_, response) => void eventStream(response).write('data: 1\n\n'))
      const gone = new AbortController()
      const answer = await fetch(`${server.url}/v1/completions`, {
        method: 'POST',
        headers: {'content-type': 'application/json'},
        body: '{"model":"m","stream":true}',
        signal: gone.signal,
      })
      expect(answer.status).to.equal(200)
      gone.abort()
      await until(() => vllm.openRequests === 0)
      await until(() => server.context.router.look('m', 1000)!.inFlight === 0)
      expect(server.context.router.look('m', 1000)).to.include({failed: 1, succeeded: 0})
    })

    it('reads slowly, the engine is read as slowly', async () => {
      await start()
      let written = 0
      let isBlocked = false
      vllm.on('/v1/completions', (_, response) => {
        eventStream(response)
        const chunk = Buffer.alloc(64 * 1024, 'x')
        const push = (): void => {
          while (written < 512 * chunk.length) {
            written += chunk.length
            if (!response.write(chunk)) {
              isBlocked = true
              response.once('drain', () => {
                isBlocked = false
                push()
              })
              return
            }
          }
          response.end()
        }
        push()
      })
      const socket = connect(Number(new URL(server.url).port), '127.0.0.1')
      const body = '{"model":"m"}'
      socket.write(
        `POST /v1/completions HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
      )
      let got = 0
      socket.once('data', chunk => {
        got += chunk.length
        socket.pause()
      })
      await until(() => isBlocked)
      // Kernel buffers take some MiB; 32 MiB they do not.
      let before = -1
      while (before !== written) {
        before = written
        await new Promise(resolve => setTimeout(resolve, 100))
      }
      expect(written).to.be.below(512 * 64 * 1024)
      socket.on('data', chunk => (got += chunk.length))
      socket.resume()
      await once(socket, 'close')
      expect(got).to.be.above(512 * 64 * 1024)
    })
  })

  describe('lets models sleep', () => {
    it('with exactly the calls of vLLM and of SGLang, one wake for a burst', async () => {
      await start()
      for (const [model, engine, sleep, wake] of [
        ['m', vllm, ['POST /sleep?level=1 {"level":"1"}'], ['POST /wake_up']],
        [
          'org/s',
          sglang,
          ['POST /release_memory_occupation {}'],
          ['POST /resume_memory_occupation {}', 'POST /update_weights_from_disk {"model_path":"org/s"}'],
        ],
      ] as const) {
        const slept = await post(`/action/sleep/${encodeURIComponent(model)}`, '')
        expect(await slept.json()).to.deep.equal({
          ...{model_name: model, success: true, message: `Model ${model} sleep request successful`},
        })
        const before = engine.orders.length
        expect(engine.orders).to.deep.equal(sleep)
        const answers = await Promise.all(
          Array.from({length: 6}, (_, index) => post('/v1/completions', {model, prompt: String(index)})),
        )
        expect(answers.map(({status}) => status)).to.deep.equal([200, 200, 200, 200, 200, 200])
        expect(engine.orders.slice(before, before + wake.length)).to.deep.equal(wake)
        expect(engine.orders.slice(before + wake.length).every(line => line.startsWith('POST /v1'))).to.equal(
          true,
        )
      }
    })

    it('reloads weights on the way back from level 2', async () => {
      await start('models: {m: {sleep_level: 2}}')
      await post('/action/sleep/m', '')
      expect((await post('/action/wakeup/m', '')).status).to.equal(200)
      expect(vllm.orders).to.deep.equal([
        ...['POST /sleep?level=2 {"level":"2"}', 'POST /wake_up?tags=weights'],
        ...['POST /collective_rpc {"method":"reload_weights"}', 'POST /wake_up?tags=kv_cache'],
      ])
    })

    it('and refuses what cannot be done with 400, the words of upstream and a reason', async () => {
      await start()
      const action = async (path: string): Promise<[number, unknown]> => {
        const answer = await post(path, '')
        return [answer.status, await answer.json()]
      }
      expect(await action('/action/sleep/none')).to.deep.equal([404, {error: 'Model none not found'}])
      expect(await action('/action/wakeup/m')).to.deep.equal([
        400,
        {model_name: 'm', success: false, message: 'Model m wake request failed', reason: 'awake already'},
      ])
      let release: (() => void) | null = null
      vllm.on('/v1/completions', (_, response) => void (release = () => response.end('{}')))
      const running = post('/v1/completions', {model: 'm'})
      await until(() => release !== null)
      expect(await action('/action/sleep/m')).to.deep.equal([
        400,
        {
          ...{model_name: 'm', success: false, message: 'Model m sleep request failed'},
          reason: 'requests in flight',
        },
      ])
      release!()
      await running
      vllm.on('/sleep', (_, response) => void response.writeHead(500).end())
      expect((await action('/action/sleep/m'))[1]).to.include({success: false, reason: 'its engine refused'})
      expect(await json('/sleep/status')).to.have.nested.property('phases.m', 'awake')
    })

    it('and does not believe an engine that says yes and stays awake', async () => {
      await start()
      vllm.on('/sleep', (_, response) => void response.writeHead(200).end())
      expect((await post('/action/sleep/m', '')).status).to.equal(400)
    })

    it('and finds out at its start who sleeps', async () => {
      vllm.isSleeping = true
      await start()
      const {sleeping_models: sleeping} = await json('/sleep/status')
      expect(Object.keys(sleeping as object)).to.deep.equal(['m'])
      expect((await post('/v1/completions', {model: 'm'})).status).to.equal(200)
      expect(vllm.orders).to.deep.equal(['POST /wake_up', 'POST /v1/completions {"model":"m"}'])
    })

    it('and answers 429 where too many wait, 503 where the time is over, each with Retry-After', async () => {
      vllm.isSleeping = true
      vllm.on('/wake_up', () => {})
      server = await serveStore(folder.store, {
        controller: {
          ...configure(),
          limits: {waitMs: 300, requestMs: 5000, retryMs: 0, healthIntervalMs: 1e6},
        },
      })
      const answers = await Promise.all(Array.from({length: 10}, () => post('/v1/completions', {model: 'm'})))
      const statuses = answers.map(({status}) => status).sort()
      expect(statuses).to.deep.equal([429, 429, 503, 503, 503, 503, 503, 503, 503, 503].sort())
      expect(answers.map(({headers}) => headers.get('retry-after'))).to.deep.equal(Array(10).fill('1'))
      expect(vllm.orders).to.deep.equal(['POST /wake_up'])
    })
  })

  describe("has upstream's documents", () => {
    it('of models and their health', async () => {
      await start()
      const {models} = await json('/models')
      expect(models).to.have.nested.property('m.endpoint', vllm.url)
      expect(await json('/health/m')).to.deep.equal({model: 'm', health: {[vllm.url]: true}})
      other.on('/health', (_, response) => void response.writeHead(503).end())
      expect(await json('/health/all')).to.deep.equal({
        model: 'all',
        health: {
          m: {[vllm.url]: true},
          two: {[vllm.url]: true, [other.url]: false},
          'org/s': {[sglang.url]: true},
        },
      })
      expect(await json('/health/none')).to.deep.equal({model: 'none', health: {}})
    })

    it('of traffic', async () => {
      await start()
      const before = Date.now() / 1000
      await post('/v1/completions', {model: 'm'})
      await post('/v1/completions', {model: 'm'})
      vllm.on('/v1/completions', (_, response) => void response.writeHead(500).end())
      await post('/v1/completions', {model: 'm'})
      await post('/v1/completions', {model: 'nobody'})
      const all = await json('/traffic/stats?window=10')
      expect(Object.keys(all)).to.deep.equal(['traffic_stats', 'window_seconds'])
      expect(Object.keys(all['traffic_stats'] as object)).to.deep.equal(['m'])
      const {m} = all['traffic_stats'] as {m: Record<string, number>}
      expect(m).to.include({total_requests: 3, successful_requests: 2, failed_requests: 1, request_rate: 0.3})
      expect(Object.keys(m).slice(0, 8)).to.deep.equal([
        ...['total_requests', 'successful_requests', 'failed_requests', 'request_rate'],
        ...['avg_response_time', 'last_activity_time', 'idle_time_seconds', 'is_idle'],
      ])
      expect(m['last_activity_time']).to.be.within(before, Date.now() / 1000)
      const one = await json('/traffic/stats/m')
      expect(one['model_stats']).to.include({model_name: 'm', total_requests: 3})
      const missing = await server.get('/traffic/stats/two')
      expect([missing.status, await missing.json()]).to.deep.equal([
        404,
        {error: 'No traffic data found for model two'},
      ])
      for (const window of ['0', 'x', '-1', '86401'])
        expect((await server.get(`/traffic/stats?window=${window}`)).status, window).to.equal(400)
    })

    it('of idle and active models and of candidates', async () => {
      await start()
      await post('/v1/completions', {model: 'm'})
      await until(() => server.context.router.look('m', 1000)!.idleMs > 60)
      const idle = await json('/models/idle?threshold=0.05')
      expect(Object.keys(idle)).to.deep.equal([
        ...['idle_models', 'idle_threshold_seconds', 'idle_model_details', 'idle_models_count'],
      ])
      expect([idle['idle_models'], idle['idle_models_count']]).to.deep.equal([['m', 'two', 'org/s'], 3])
      expect(Object.keys((idle['idle_model_details'] as {m: object}).m)).to.deep.equal([
        ...['idle_time_seconds', 'total_requests', 'last_activity_time'],
      ])
      const active = await json('/models/active?threshold=300&window=60')
      expect(active).to.include({idle_threshold_seconds: 300, window_seconds: 60, active_models_count: 3})
      expect(Object.keys((active['active_model_details'] as {m: object}).m)).to.deep.equal([
        ...['request_rate', 'total_requests', 'avg_response_time', 'last_activity_time'],
      ])
      expect(await json('/sleep/candidates')).to.deep.equal({
        ...{sleep_candidates: [], candidate_details: {}},
        ...{idle_threshold_seconds: 300, auto_sleep_enabled: false},
      })
      expect(await json('/sleep/status')).to.deep.include({
        ...{sleeping_models: {}, sleep_candidates: [], auto_sleep_enabled: false},
        ...{idle_threshold_seconds: 300, wakeup_on_request: true},
      })
    })

    it('of the server itself', async () => {
      await start()
      const info = await json('/get_server_info')
      expect(info).to.deep.equal({
        ...{status: 'dummy', version: server.context.version, models: ['m', 'two', 'org/s']},
      })
    })

    it('of health, on a port of its own too', async () => {
      await start('', {families: ['router']})
      expect(await json('/health')).to.deep.equal({status: 'healthy'})
    })
  })

  describe('with a new configuration', () => {
    it('lets a stream go on, though its model is gone', async () => {
      await start()
      let send: ((text: string) => void) | null = null
      vllm.on('/v1/completions', (_, response) => {
        eventStream(response).flushHeaders()
        send = text => {
          if (text === '') response.end()
          else response.write(text)
        }
      })
      const answer = await post('/v1/completions', {model: 'm', stream: true})
      const reader = answer.body!.getReader()
      const config = configure()
      server.context.router.configure({
        ...config,
        models: config.models.filter(({name}) => name !== 'm'),
        plan: {...config.plan, models: config.plan.models.filter(({name}) => name !== 'm')},
      })
      expect((await post('/v1/completions', {model: 'm'})).status).to.equal(404)
      send!('data: 1\n\n')
      expect(Buffer.from((await reader.read()).value).toString()).to.equal('data: 1\n\n')
      send!('')
      expect((await reader.read()).done).to.equal(true)
    })
  })
})
