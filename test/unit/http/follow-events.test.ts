import {once} from 'node:events'
import {createServer, type Server, type ServerResponse} from 'node:http'
import type {AddressInfo} from 'node:net'
import {expect} from 'chai'
import {NetworkError, VirtualClock} from '../../../src/lib/foundation/index.js'
import {createEventClient, followEvents, type EventClient} from '../../../src/lib/http/index.js'
import {rejection} from '../../support/rejection.js'

const lost = (): NetworkError => new NetworkError('ENDPOINT_UNREACHABLE', 'nobody there')

describe('following events', () => {
  /** Opens streams one after another: each is what it sends, and the error it breaks with. */
  const follow = async (
    streams: readonly (readonly [events: readonly string[], error: Error | null])[],
    enough = Infinity,
  ): Promise<{seen: string[]; notes: string[]; waitedMs: number; failure: unknown}> => {
    const clock = new VirtualClock()
    const [seen, notes]: [string[], string[]] = [[], []]
    let opened = 0
    const open = async function* (): AsyncGenerator<string> {
      const [events, error] = streams[Math.min(opened++, streams.length - 1)]!
      yield* events
      if (error) throw error
    }
    const show = (data: string): boolean => seen.push(data) < enough
    const {signal} = new AbortController()
    const done = followEvents({open, show, note: line => notes.push(line), clock, signal})
    const failure = await done.then(
      () => null,
      (error: unknown) => error,
    )
    return {seen, notes, waitedMs: clock.nowNs() / 1e6, failure}
  }

  it('tries five times, 1 to 16 s apart, says so, and fails with the last reason', async () => {
    const {notes, waitedMs, failure} = await follow([[[], lost()]])
    expect(notes).to.deep.equal([
      'nobody there; trying again in 1 s (1 of 5)',
      'nobody there; trying again in 2 s (2 of 5)',
      'nobody there; trying again in 4 s (3 of 5)',
      'nobody there; trying again in 8 s (4 of 5)',
      'nobody there; trying again in 16 s (5 of 5)',
    ])
    expect(waitedMs).to.equal(31_000)
    expect(failure).to.include({code: 'ENDPOINT_UNREACHABLE', exitCode: 3})
  })

  it('begins anew with five tries after an event', async () => {
    const {seen, notes} = await follow(
      [
        [['a'], lost()],
        [[], lost()],
        [['b'], null],
        [['c'], null],
      ],
      3,
    )
    expect(seen).to.deep.equal(['a', 'b', 'c'])
    expect(notes.map(note => /in (\d+) s/.exec(note)![1])).to.deep.equal(['1', '2', '1'])
  })

  it('does not try again what another try would not change', async () => {
    const refused = new NetworkError('ENDPOINT_REFUSED', 'HTTP 401')
    const {notes, failure} = await follow([[[], refused]])
    expect([notes, failure]).to.deep.equal([[], refused])
  })
})

describe('reading events', () => {
  let http: EventClient
  let server: Server
  let answer: (response: ServerResponse) => void
  beforeEach(async () => {
    http = createEventClient()
    server = createServer((_, response) => answer(response)).listen(0, '127.0.0.1')
    await once(server, 'listening')
  })
  afterEach(async () => {
    await http.close()
    server.closeAllConnections()
    server.close()
  })
  const read = async (idleMs = 5000, signal = new AbortController().signal): Promise<string[]> => {
    const {port} = server.address() as AddressInfo
    const seen: string[] = []
    for await (const data of http.events(`http://127.0.0.1:${port}/`, {idleMs, signal})) seen.push(data)
    return seen
  }

  it('gives the data of each, however it is cut into chunks, and passes over comments', async () => {
    answer = response => {
      response.writeHead(200, {'content-type': 'text/event-stream'})
      const bytes = Buffer.from(': ping\n\nid: 1\ndata: {"é":1}\n\nretry: 5\n\ndata: two\ndata: lines\n\n')
      for (let at = 0; at < bytes.length; at++) response.write(bytes.subarray(at, at + 1))
      response.end()
    }
    expect(await read()).to.deep.equal(['{"é":1}', 'two\nlines'])
  })

  for (const [status, code] of [
    [401, 'ENDPOINT_REFUSED'],
    [404, 'ENDPOINT_REFUSED'],
    [503, 'ENDPOINT_STATUS'],
  ] as const) {
    it(`fails with ${code} on ${status}`, async () => {
      answer = response => response.writeHead(status).end('why')
      expect(await rejection(read())).to.include({code})
    })
  }

  it('fails when a connection breaks, and when it is silent for too long', async () => {
    answer = response => {
      response.writeHead(200).write('data: a\n\n')
      setTimeout(() => response.destroy(), 10)
    }
    expect(await rejection(read())).to.include({code: 'ENDPOINT_UNREACHABLE'})
    answer = response => response.writeHead(200).write('data: a\n\n')
    expect(await rejection(read(100))).to.include({code: 'ENDPOINT_TIMEOUT'})
  })

  it('ends at once when it is aborted', async () => {
    const leave = new AbortController()
    answer = response => {
      response.writeHead(200).write('data: a\n\n')
      leave.abort(new Error('enough'))
    }
    expect(await rejection(read(5000, leave.signal))).to.have.property('message', 'enough')
  })
})
