import {once} from 'node:events'
import {createServer, type IncomingMessage, type ServerResponse} from 'node:http'
import {createServer as createTlsServer} from 'node:https'
import type {AddressInfo, Server} from 'node:net'
import {expect} from 'chai'
import {
  createHttpClient,
  jsonOf,
  type HttpClient,
  type HttpClientOptions,
} from '../../../src/lib/http/index.js'
import {rejection} from '../../support/rejection.js'
import {describeWith} from '../../support/requires.js'
import {selfSigned} from '../../support/self-signed.js'

type Handler = (request: IncomingMessage, reply: ServerResponse) => void

describe('the HTTP client', () => {
  const closers: (() => unknown)[] = []

  afterEach(async () => {
    for (const close of closers.splice(0).reverse()) await close()
  })

  async function listen(server: Server & {closeAllConnections(): void}, scheme: string): Promise<string> {
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    closers.push(() => {
      server.closeAllConnections()
      server.close()
    })
    return `${scheme}://127.0.0.1:${(server.address() as AddressInfo).port}/x`
  }
  const serve = (handler: Handler): Promise<string> => listen(createServer(handler), 'http')
  const client = (options: HttpClientOptions = {}): HttpClient => {
    const made = createHttpClient(options)
    closers.push(() => made.close())
    return made
  }

  it('gives status, headers and text of any answer, errors and redirects included', async () => {
    const url = await serve((_, reply) => {
      reply.writeHead(307, {location: '/elsewhere', 'content-type': 'text/plain'}).end('moved')
    })
    const {headers, ...answer} = await client().get(url)
    expect(answer).to.deep.equal({url, status: 307, contentType: 'text/plain', text: 'moved'})
    expect(headers['location']).to.equal('/elsewhere')
  })

  it('posts JSON, with the headers that it is given', async () => {
    const url = await serve((request, reply) => {
      let text = ''
      request.on('data', (bytes: Buffer) => (text += bytes.toString()))
      request.on('end', () => {
        const {authorization, 'content-type': type} = request.headers
        reply.end(JSON.stringify({method: request.method, text, authorization, type}))
      })
    })
    const answer = await client().post(url, {n: 1, é: 'ü'}, {headers: {authorization: 'Bearer k'}})
    expect(jsonOf(answer)).to.deep.equal({
      ...{method: 'POST', text: '{"n":1,"é":"ü"}', authorization: 'Bearer k', type: 'application/json'},
    })
  })

  it('names the URL and the limit when no answer comes, or only half of one', async () => {
    const silent = await serve(() => undefined)
    const halting = await serve((_, reply) => reply.writeHead(200).write('half'))
    for (const url of [silent, halting]) {
      expect(await rejection(client().get(url, {timeoutMs: 60}))).to.include({
        ...{code: 'ENDPOINT_TIMEOUT', exitCode: 3, message: `${url} did not answer within 60 ms`},
      })
    }
  })

  it('names the URL when nothing listens or the line is cut', async () => {
    const cut = await serve(request => request.socket.destroy())
    const dead = await serve(() => undefined)
    await closers.pop()!()
    for (const [url, why] of [
      [cut, /other side closed/],
      [dead, /ECONNREFUSED/],
    ] as const) {
      const error = await rejection(client().get(url))
      expect(error).to.include({code: 'ENDPOINT_UNREACHABLE', exitCode: 3})
      expect((error as Error).message).to.match(new RegExp(`^${url} cannot be reached: .*${why.source}`))
    }
  })

  it('reads no more than it may', async () => {
    const url = await serve((_, reply) => reply.end('x'.repeat(101)))
    expect((await client({maxAnswerBytes: 101}).get(url)).text).to.have.length(101)
    expect(await rejection(client({maxAnswerBytes: 100}).get(url))).to.include({code: 'ENDPOINT_UNREACHABLE'})
  })

  it("throws the signal's own reason when it is aborted", async () => {
    const abort = new AbortController()
    const reason = new Error('enough')
    const url = await serve(() => abort.abort(reason))
    expect(await rejection(client().get(url, {signal: abort.signal}))).to.equal(reason)
  })

  it('says what an answer that is no JSON document was', () => {
    const answer = {url: 'http://x/', status: 200, contentType: '', headers: {}, text: '<html>'}
    expect(() => jsonOf(answer)).to.throw('http://x/ did not answer with JSON')
    expect(() => jsonOf({...answer, status: 502})).to.throw('http://x/ answered HTTP 502: <html>')
  })

  describeWith(['openssl'], 'and TLS', () => {
    it('refuses a certificate that nobody signed, unless it is told to take any', async () => {
      const url = await listen(
        createTlsServer(selfSigned(), (_, reply) => reply.end('secret')),
        'https',
      )
      const refused = await rejection(client().get(url))
      expect(refused).to.include({code: 'ENDPOINT_UNREACHABLE'})
      expect((refused as Error).message).to.contain('self-signed certificate')
      expect((await client({isInsecure: true}).get(url)).text).to.equal('secret')
    })
  })
})
