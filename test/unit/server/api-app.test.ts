import {once} from 'node:events'
import {connect, type Socket} from 'node:net'
import {expect} from 'chai'
import {createTicker} from '../../../src/lib/foundation/index.js'
import {createBroadcast} from '../../../src/server/broadcast.js'
import {serveStore, type ApiServer} from '../../support/api-server.js'
import {GIB, segmentFolder, type SegmentFolder} from '../../support/segments.js'

type Problem = Record<'type' | 'title' | 'detail' | 'code', string> & {status: number}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise(resolve => setTimeout(resolve, 1))
}

/** A client on a bare socket, whose reading a test can stop. */
function read(url: string, path: string, headers = ''): Socket {
  const socket = connect(Number(new URL(url).port), '127.0.0.1')
  socket.write(`GET ${path} HTTP/1.1\r\nhost: localhost\r\n${headers}\r\n`)
  return socket
}

async function problemOf(response: Response): Promise<Problem> {
  expect(response.headers.get('content-type')).to.equal('application/problem+json; charset=utf-8')
  const problem = (await response.json()) as Problem
  expect([problem.type, problem.status]).to.deep.equal(['about:blank', response.status])
  return problem
}

describe('the HTTP surface of kvctl serve', () => {
  let folder: SegmentFolder
  let server: ApiServer
  beforeEach(async () => {
    folder = segmentFolder()
    folder.put('a', 8n * GIB, 6n * GIB, 1n * GIB)
    server = await serveStore(folder.store)
  })
  afterEach(async () => {
    await server.close()
    folder.remove()
  })

  describe('shows segments', () => {
    it('as kvctl list --json does, one and all', async () => {
      folder.put('b', GIB)
      const all = (await (await server.get('/segments')).json()) as Record<string, unknown>[]
      expect(all.map(({ipc, used_bytes: used, percent}) => [ipc, used, percent])).to.deep.equal([
        ['a', Number(6n * GIB), 75],
        ['b', 0, 0],
      ])
      expect(await (await server.get('/segments/a')).json()).to.deep.equal(all[0])
    })

    it('with every digit of a figure that doubles cannot hold', async () => {
      folder.put('huge', 2n ** 62n + 1n)
      expect(await (await server.get('/segments/huge')).text()).to.contain(
        '"limit_bytes":4611686018427387905,',
      )
    })

    it('under names that a URL must escape', async () => {
      folder.put('modèle é:1', GIB)
      const response = await server.get(`/segments/${encodeURIComponent('modèle é:1')}`)
      expect(((await response.json()) as {ipc: string}).ipc).to.equal('modèle é:1')
    })

    for (const [path, status, code] of [
      ['/segments/none', 404, 'SEGMENT_NOT_FOUND'],
      ['/segments/..%2Fa', 422, 'SEGMENT_NAME_INVALID'],
      ['/segments/%zz', 400, 'REQUEST_INVALID'],
      ['/none', 404, 'NOT_FOUND'],
    ] as const) {
      it(`and answers ${path} with a problem document: ${status} ${code}`, async () => {
        const response = await server.get(path)
        expect([response.status, (await problemOf(response)).code]).to.deep.equal([status, code])
      })
    }
  })

  describe('sets limits', () => {
    const put = async (body: unknown, name = 'a'): Promise<Response> =>
      server.send('PUT', `/segments/${name}`, body)
    const limitNow = async (): Promise<bigint> => (await folder.store.read('a')).record.limitBytes
    const limitIs = async (bytes: bigint): Promise<void> => {
      while ((await limitNow()) !== bytes) await new Promise(resolve => setTimeout(resolve, 1))
    }

    it('by size or bytes, and says what becomes of it', async () => {
      expect(await (await put({limit: '7G'})).json()).to.include({
        ipc: 'a',
        limit_bytes: Number(7n * GIB),
        previous_limit_bytes: Number(8n * GIB),
        outcome: 'applied',
      })
      expect(await (await put({limit: Number(6n * GIB)})).json()).to.include({outcome: 'pending'})
      expect(await limitNow()).to.equal(6n * GIB)
    })

    it('back to the start-up total', async () => {
      await put({limit: '7G'})
      // 4096 bytes above it, which engines act on.
      expect(await (await put({restore: true})).json()).to.include({
        limit_bytes: Number(8n * GIB + 4096n),
        outcome: 'written',
      })
    })

    it('and waits until the engine gave the memory back', async () => {
      const pending = put({limit: '6G', wait: true})
      await limitIs(6n * GIB)
      folder.store.publish('a', 5n * GIB, 0n)
      expect(await (await pending).json()).to.include({outcome: 'applied'})
    })

    it('and says 409 when somebody else set another limit meanwhile', async () => {
      const pending = put({limit: '6G', wait: true})
      await limitIs(6n * GIB)
      await folder.store.writeLimit('a', 5n * GIB)
      const response = await pending
      expect([response.status, (await problemOf(response)).code]).to.deep.equal([409, 'LIMIT_OVERRIDDEN'])
    })

    for (const [what, body, status, code] of [
      ['a size that is none', {limit: 'plenty'}, 422, 'SIZE_INVALID'],
      ['what an engine would ignore', {limit: 0}, 422, 'LIMIT_TOO_SMALL'],
      ['what could crash an engine', {limit: '9G'}, 422, 'LIMIT_ABOVE_STARTUP'],
      ['what does not fit a segment', {limit: '99999999999G', force: true}, 422, 'SIZE_INVALID'],
      ['neither limit nor restore', {force: true}, 400, 'REQUEST_INVALID'],
      ['both limit and restore', {limit: '7G', restore: true}, 400, 'REQUEST_INVALID'],
      ['a key that is unknown', {limit: '7G', wiat: true}, 400, 'REQUEST_INVALID'],
      ['a flag as text', {limit: '7G', force: 'true'}, 400, 'REQUEST_INVALID'],
      ['half a byte', {limit: 1.5}, 400, 'REQUEST_INVALID'],
      ['a body that is no object', [], 400, 'REQUEST_INVALID'],
      ['broken JSON', '{"limit":', 400, 'REQUEST_INVALID'],
      ['a body of more than 64 KiB', {limit: 'x'.repeat(65_536)}, 413, 'BODY_TOO_LARGE'],
    ] as const) {
      it(`and refuses ${what} with ${status} ${code}, writing nothing`, async () => {
        const response = await put(body)
        expect([response.status, (await problemOf(response)).code]).to.deep.equal([status, code])
        expect(await limitNow()).to.equal(8n * GIB)
      })
    }

    it('and refuses a segment that is not there with 404, a body of another type with 415', async () => {
      expect((await problemOf(await put({limit: '7G'}, 'none'))).code).to.equal('SEGMENT_NOT_FOUND')
      const text = await fetch(`${server.url}/segments/a`, {method: 'PUT', body: 'limit=7G'})
      expect([text.status, (await problemOf(text)).code]).to.deep.equal([415, 'MEDIA_TYPE_UNSUPPORTED'])
    })

    it('and forces what it would refuse', async () => {
      expect((await put({limit: '9G', force: true})).status).to.equal(200)
      expect(await limitNow()).to.equal(9n * GIB)
    })
  })

  it('removes a segment, and refuses to while an engine uses it unless forced', async () => {
    await folder.store.create('mine', GIB)
    const refused = await server.send('DELETE', '/segments/mine')
    expect([refused.status, (await problemOf(refused)).code]).to.deep.equal([409, 'SEGMENT_LIVE'])
    const forced = await server.send('DELETE', '/segments/mine?force=true')
    expect(await forced.json()).to.deep.equal({ipc: 'mine', deleted: true})
    expect((await server.get('/segments/mine')).status).to.equal(404)
    expect((await server.send('DELETE', '/segments/a?force=maybe')).status).to.equal(400)
  })

  it('names the methods of a path that was asked by another', async () => {
    const response = await server.send('POST', '/segments/a', {})
    expect([response.status, response.headers.get('allow')]).to.deep.equal([405, 'GET, HEAD, PUT, DELETE'])
    expect((await problemOf(response)).code).to.equal('METHOD_NOT_ALLOWED')
  })

  it('keeps its reasons to itself when it fails unexpectedly', async () => {
    const broken = {...folder.store, list: () => Promise.reject(new Error('secret path'))}
    const failing = await serveStore(broken)
    const problem = await problemOf(await failing.get('/segments'))
    expect([problem.status, problem.code]).to.deep.equal([500, 'UNEXPECTED'])
    expect(problem.detail).to.not.contain('secret')
    const health = (await (await failing.get('/health')).json()) as Record<string, unknown>
    expect(health['status']).to.equal('degraded')
    expect(await (await failing.get('/metrics')).text()).to.match(/^kvctl_segments_readable 0$/m)
    await failing.close()
  })

  it('answers 503 above the requests it may answer at once', async () => {
    const tight = await serveStore(folder.store, {limits: {maxRequests: 1, maxProxied: 8, maxStreams: 1}})
    const waiting = tight.send('PUT', '/segments/a', {limit: '6G', wait: true})
    await until(() => tight.context.traffic.requests === 1)
    const refused = await tight.get('/segments')
    expect([refused.status, refused.headers.get('retry-after')]).to.deep.equal([503, '1'])
    expect((await problemOf(refused)).code).to.equal('SERVER_BUSY')
    folder.store.publish('a', 0n, 0n)
    expect((await waiting).status).to.equal(200)
    await tight.close()
  })

  it('gives up waiting for an engine when the client leaves', async () => {
    const leave = new AbortController()
    const gone = fetch(`${server.url}/segments/a`, {
      method: 'PUT',
      headers: {'content-type': 'application/json'},
      body: JSON.stringify({limit: '6G', wait: true}),
      signal: leave.signal,
    }).catch((error: unknown) => (error as Error).name)
    await until(() => server.context.traffic.requests === 1)
    leave.abort()
    expect(await gone).to.equal('AbortError')
    await until(() => server.context.traffic.requests === 0)
  })

  describe('asks for a token', () => {
    const options = {token: 'secret', isForThisMachine: false, corsOrigins: ['http://page.test']}

    it('everywhere but at /health', async () => {
      const guarded = await serveStore(folder.store, options)
      expect((await guarded.get('/health')).status).to.equal(200)
      for (const path of [
        '/segments',
        '/metrics',
        '/openapi.json',
        '/docs',
        '/docs/static/swagger-ui.css',
        '/none',
      ]) {
        for (const headers of [
          {},
          {authorization: 'Bearer secre'},
          {authorization: 'Bearer secrets'},
          {authorization: 'Basic secret'},
        ]) {
          const response = await guarded.get(path, headers)
          expect([path, response.status]).to.deep.equal([path, 401])
          expect(response.headers.get('www-authenticate')).to.equal('Bearer')
          expect((await problemOf(response)).code).to.equal('TOKEN_REQUIRED')
        }
      }
      const known = {authorization: 'Bearer secret'}
      expect((await guarded.get('/segments', known)).status).to.equal(200)
      expect((await guarded.get('/docs/static/swagger-ui.css', known)).status).to.equal(200)
      await guarded.close()
    })

    it('and lets pages of a named origin ask for it, and no others', async () => {
      const guarded = await serveStore(folder.store, options)
      const preflight = (origin: string): Promise<Response> =>
        fetch(`${guarded.url}/segments/a`, {
          method: 'OPTIONS',
          headers: {
            origin,
            'access-control-request-method': 'PUT',
            'access-control-request-headers': 'authorization',
          },
        })
      const allowed = await preflight('http://page.test')
      expect(allowed.status).to.equal(204)
      expect(allowed.headers.get('access-control-allow-origin')).to.equal('http://page.test')
      expect(allowed.headers.get('access-control-allow-methods')).to.contain('PUT')
      expect(allowed.headers.get('access-control-allow-headers')).to.equal('authorization')
      const other = await preflight('http://other.test')
      expect(other.headers.get('access-control-allow-origin')).to.not.equal('http://other.test')
      const refused = await guarded.get('/segments', {origin: 'http://page.test'})
      expect([refused.status, refused.headers.get('access-control-allow-origin')]).to.deep.equal([
        401,
        'http://page.test',
      ])
      await guarded.close()
    })
  })

  it('sends no CORS headers unless told to', async () => {
    const response = await server.get('/segments', {origin: 'http://page.test'})
    expect(response.headers.get('access-control-allow-origin')).to.equal(null)
  })

  it('refuses a host name that only resolves to this machine, unless it is open on purpose', async () => {
    const statusFor = async (url: string, host: string): Promise<string> => {
      const socket = connect(Number(new URL(url).port), '127.0.0.1')
      socket.write(`GET /segments HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\n\r\n`)
      const [chunk] = (await once(socket, 'data')) as [Buffer]
      socket.destroy()
      return chunk.toString().split(' ', 2)[1]!
    }
    expect(await statusFor(server.url, 'evil.test:6767')).to.equal('403')
    expect(await statusFor(server.url, 'localhost:6767')).to.equal('200')
    expect(await statusFor(server.url, '[::1]:6767')).to.equal('200')
    const open = await serveStore(folder.store, {isForThisMachine: false})
    expect(await statusFor(open.url, 'proxy.test')).to.equal('200')
    await open.close()
  })

  it('refuses headers of more than 16 KiB', async () => {
    expect((await server.get('/segments', {'x-long': 'x'.repeat(17_000)})).status).to.equal(431)
  })

  it('serves the families asked for and no others', async () => {
    const some = await serveStore(folder.store, {families: ['segments']})
    expect([(await some.get('/segments')).status, (await some.get('/health')).status]).to.deep.equal([
      200, 404,
    ])
    await some.close()
  })

  describe('streams segments', () => {
    it('from one look for all clients, and none without a client', async () => {
      let looks = 0
      const counted = {
        ...folder.store,
        list: () => {
          looks++
          return folder.store.list()
        },
      }
      const streaming = await serveStore(counted)
      const ends = [1, 2, 3].map(() => new AbortController())
      const firsts = await Promise.all(
        ends.map(async ({signal}) => {
          const response = await fetch(`${streaming.url}/segments/stream`, {signal})
          expect(response.headers.get('content-type')).to.equal('text/event-stream; charset=utf-8')
          const {value} = await response.body!.getReader().read()
          return Buffer.from(value).toString()
        }),
      )
      expect(looks).to.be.lessThan(firsts.length + 3)
      const [, text = ''] = /^data: (.*)\n\n/.exec(firsts[0]!) ?? []
      const event = JSON.parse(text) as {time: string; segments: {ipc: string}[]}
      expect(event.segments.map(({ipc}) => ipc)).to.deep.equal(['a'])
      for (const end of ends) end.abort()
      await until(() => streaming.context.traffic.streams === 0)
      const before = looks
      await new Promise(resolve => setTimeout(resolve, 30))
      // One may have been under way.
      expect(looks - before).to.be.lessThan(2)
      await streaming.close()
    })

    it('and refuses more of them than it may have open', async () => {
      const tight = await serveStore(folder.store, {limits: {maxRequests: 9, maxProxied: 8, maxStreams: 1}})
      const first = read(tight.url, '/segments/stream')
      await once(first, 'data')
      const refused = await tight.get('/segments/stream')
      expect([refused.status, (await problemOf(refused)).code]).to.deep.equal([503, 'TOO_MANY_STREAMS'])
      expect((await tight.get('/segments')).status).to.equal(200)
      first.destroy()
      await until(() => tight.context.traffic.streams === 0)
      await tight.close()
    })

    it('and passes over a client that does not read, which costs no memory', async () => {
      // Events of 100 kB: a few fill the kernel's buffers.
      for (let index = 0; index < 300; index++) folder.put(`${'n'.repeat(100)}${index}`, GIB)
      const streaming = await serveStore(folder.store, {segmentIntervalMs: 1})
      const slow = read(streaming.url, '/segments/stream')
      await once(slow, 'data')
      slow.pause()
      const quick = read(streaming.url, '/segments/stream')
      let bytes = 0
      quick.on('data', (chunk: Buffer) => (bytes += chunk.length))
      await until(() => bytes > 20_000_000)
      let got = 0
      slow.on('data', (chunk: Buffer) => (got += chunk.length))
      slow.resume()
      await new Promise(resolve => setTimeout(resolve, 20))
      expect(got).to.be.lessThan(bytes)
      slow.destroy()
      quick.destroy()
      await streaming.close()
    }).timeout(60_000)
  })

  describe('ends', () => {
    it('with health 503, new requests refused, running ones answered and streams closed', async () => {
      const stream = await server.get('/segments/stream')
      const waiting = server.send('PUT', '/segments/a', {limit: '6G', wait: true})
      await until(() => server.context.traffic.requests === 1)
      const ended = server.close(60_000)
      expect(await stream.text()).to.match(/^(data: .*\n\n)*$/)
      const health = await server.get('/health')
      expect(health.status).to.equal(503)
      expect(((await health.json()) as {status: string}).status).to.equal('unavailable')
      expect((await problemOf(await server.get('/segments'))).code).to.equal('SERVER_DRAINING')
      folder.store.publish('a', 0n, 0n)
      expect((await waiting).status).to.equal(200)
      await ended
    })

    it('and tells a request that lasts too long that it was cut short', async () => {
      const waiting = server.send('PUT', '/segments/a', {limit: '6G', wait: true})
      await until(() => server.context.traffic.requests === 1)
      await server.close(0)
      const response = await waiting
      expect([response.status, (await problemOf(response)).code]).to.deep.equal([503, 'SERVER_DRAINING'])
    })
  })
})

describe('a broadcast', () => {
  it('encodes each look once', async () => {
    let encoded = 0
    const broadcast = createBroadcast(
      createTicker(
        () => 'look',
        1,
        () => undefined,
      ),
      text => {
        encoded++
        return text
      },
      1000,
    )
    const {createServer} = await import('node:http')
    const ends: (() => void)[] = []
    const server = createServer((_, response) => ends.push(broadcast.join(response, {}))).listen(
      0,
      '127.0.0.1',
    )
    await once(server, 'listening')
    const {port} = server.address() as {port: number}
    const texts = [1, 2, 3].map(async () => (await fetch(`http://127.0.0.1:${port}/`)).text())
    await until(() => ends.length === 3 && encoded >= 5)
    for (const end of ends) end()
    const events = (await Promise.all(texts)).map(text => text.split('data: look\n\n').length - 1)
    expect(Math.max(...events)).to.be.at.most(encoded)
    expect(events.reduce((sum, count) => sum + count)).to.be.greaterThan(encoded)
    server.close()
  })
})
