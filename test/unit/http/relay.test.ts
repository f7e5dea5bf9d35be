import {once} from 'node:events'
import {createServer, type AddressInfo, type Server, type Socket} from 'node:net'
import {expect} from 'chai'
import {
  createRelayPool,
  type Relayed,
  type RelayPool,
  type RelayRequest,
} from '../../../src/lib/http/index.js'
import {freePort} from '../../support/free-port.js'
import {until as untilOr} from '../../support/until.js'

interface Heard {
  status: number
  headers: readonly string[]
  body: string
  /** `end`, or the kind of failure and its message; null while it goes on. */
  outcome: string | null
}

const POST: RelayRequest = {
  method: 'POST',
  path: '/v1/x?a=1',
  headers: ['X-Own', 'a'],
  body: Buffer.from('hi'),
}
const WHOLE = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok'

describe('connections to an engine', () => {
  let server: Server
  let pool: RelayPool
  /** What came over each connection, in the order in which they were opened. */
  let came: string[]
  let sockets: Socket[]
  let onData: (socket: Socket, text: string) => void

  const until = (isSo: () => boolean): Promise<void> =>
    untilOr(isSo, () => `the server got ${came.join('|')}`)
  const origin = (): string => `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const ask = (
    request: Partial<RelayRequest> = {},
    data: (relayed: Relayed) => boolean = () => true,
  ): Heard & {relayed: Relayed} => {
    const heard: Heard = {status: 0, headers: [], body: '', outcome: null}
    const relayed: Relayed = pool.send(
      {...POST, ...request},
      {
        head: (status, _, headers) => Object.assign(heard, {status, headers}),
        data: chunk => {
          heard.body += chunk.toString('latin1')
          return data(relayed)
        },
        end: () => (heard.outcome = 'end'),
        fail: ({kind, message}) => (heard.outcome = `${kind}: ${message}`),
      },
    )
    return Object.assign(heard, {relayed})
  }
  const asked = async (request: Partial<RelayRequest> = {}): Promise<Heard> => {
    const heard = ask(request)
    await until(() => heard.outcome !== null)
    return heard
  }

  beforeEach(async () => {
    ;[came, sockets] = [[], []]
    onData = socket => void socket.write(WHOLE)
    server = createServer(socket => {
      const index = sockets.push(socket) - 1
      came.push('')
      socket.on('error', () => undefined)
      socket.on('data', bytes => {
        came[index] = `${came[index]!}${bytes.toString('latin1')}`
        onData(socket, came[index])
      })
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    pool = createRelayPool(origin(), 60_000)
  })
  afterEach(async () => {
    for (const socket of sockets) socket.destroy()
    await pool.close()
    server.close()
  })

  it('carry a request as it was written, one after another on the same one', async () => {
    expect(await asked()).to.deep.include({status: 200, body: 'ok', outcome: 'end'})
    await asked({method: 'GET', body: null})
    await asked({body: null})
    const lines = `HTTP/1.1\r\nhost: ${new URL(origin()).host}\r\nconnection: keep-alive\r\nX-Own: a\r\n`
    expect(came).to.deep.equal([
      `POST /v1/x?a=1 ${lines}content-length: 2\r\n\r\nhi` +
        `GET /v1/x?a=1 ${lines}\r\n` +
        `POST /v1/x?a=1 ${lines}content-length: 0\r\n\r\n`,
    ])
  })

  it('carry a body too large to stand in one write with its head', async () => {
    const body = Buffer.alloc(300_000, 'x')
    onData = (socket, text) => {
      if (text.endsWith(`\r\n\r\n${'x'.repeat(body.length)}`)) socket.write(WHOLE)
    }
    expect(await asked({body})).to.deep.include({outcome: 'end'})
  })

  it('carry nothing that could end a request and begin another', async () => {
    for (const bad of [
      {headers: ['x', 'a\r\nb: c']},
      {headers: ['x\r\n', 'a']},
      {headers: ['x', 'é€']},
      {path: '/a b'},
      {method: 'P\r\n'},
    ])
      expect((await asked(bad)).outcome).to.match(/^invalid: invalid/)
    expect(sockets).to.have.length(0)
  })

  it('are as many as there are requests at once, and are used again', async () => {
    const waiting: Socket[] = []
    onData = socket => void waiting.push(socket)
    const both = [ask(), ask()]
    await until(() => waiting.length === 2)
    for (const socket of waiting) socket.write(WHOLE)
    await until(() => both.every(({outcome}) => outcome === 'end'))
    onData = socket => void socket.write(WHOLE)
    await asked()
    expect(sockets).to.have.length(2)
  })

  for (const [why, answer] of [
    ['says that it closes', 'HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok'],
    [
      'keeps them for a second only',
      'HTTP/1.1 200 OK\r\nkeep-alive: timeout=1\r\ncontent-length: 2\r\n\r\nok',
    ],
    ['sends more than it was asked for', `${WHOLE}HTTP/1.1 200 OK\r\n`],
  ] as const)
    it(`are not used again where the server ${why}`, async () => {
      onData = socket => void socket.write(answer)
      for (let turn = 0; turn < 2; turn++) expect(await asked()).to.include({outcome: 'end', body: 'ok'})
      expect(sockets).to.have.length(2)
    })

  it('are not used again where an unasked answer came, or the end', async () => {
    await asked()
    sockets[0]!.write(WHOLE)
    await once(sockets[0]!, 'close')
    await asked()
    sockets[1]!.end()
    await once(sockets[1]!, 'close')
    expect(await asked()).to.include({outcome: 'end', body: 'ok'})
    expect(sockets).to.have.length(3)
  })

  it('are not used again where the answer came before the whole request was sent', async () => {
    onData = socket => {
      socket.pause().write(WHOLE)
    }
    expect(await asked({body: Buffer.alloc(64 * 2 ** 20)})).to.include({outcome: 'end'})
    onData = socket => void socket.write(WHOLE)
    await asked()
    expect(sockets).to.have.length(2)
  })

  it('are read no faster than the sink takes, and then to the end', async () => {
    const size = 32 * 2 ** 20
    onData = socket =>
      void socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${size}\r\n\r\n${'x'.repeat(size)}`)
    let isTaking = false
    const heard = ask({}, () => isTaking)
    await until(() => heard.body.length > 0)
    // One read is on its way at most.
    await new Promise(resolve => setTimeout(resolve, 50))
    expect(heard.body.length).to.be.at.most(64 * 1024)
    isTaking = true
    heard.relayed.resume()
    await until(() => heard.outcome !== null)
    expect([heard.outcome, heard.body.length]).to.deep.equal(['end', size])
  })

  it('end when their exchange is aborted, and its sink hears nothing more', async () => {
    onData = socket => void socket.write('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nok')
    const heard = ask()
    await until(() => heard.body === 'ok')
    heard.relayed.abort()
    await once(sockets[0]!, 'close')
    expect(heard.outcome).to.equal(null)
  })

  it('that break, or speak no HTTP, say how', async () => {
    onData = socket => void socket.destroy()
    expect((await asked()).outcome).to.equal('broken: the server closed the connection')
    onData = socket => void socket.end('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf')
    expect(await asked()).to.include({body: 'half', outcome: 'broken: the server closed the connection'})
    onData = socket => void socket.write('SSH-2.0\r\n\r\n')
    expect((await asked()).outcome).to.equal("broken: not an HTTP/1.1 answer: 'SSH-2.0'")
    const port = await freePort()
    pool = createRelayPool(`http://127.0.0.1:${port}`, 60_000)
    expect((await asked()).outcome).to.match(/^unreachable: .*ECONNREFUSED/)
  })

  it('that are silent are late, at first and in the middle, but not while the sink takes nothing', async () => {
    pool = createRelayPool(origin(), 40)
    onData = () => undefined
    expect((await asked()).outcome).to.equal('late: nothing came for 40 ms')
    onData = socket => void socket.write('HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nok')
    expect(await asked()).to.include({body: 'ok', outcome: 'late: nothing came for 40 ms'})
    const heard = ask({}, () => false)
    await until(() => heard.body === 'ok')
    await new Promise(resolve => setTimeout(resolve, 120))
    expect(heard.outcome).to.equal(null)
    heard.relayed.abort()
  })

  it('let running exchanges end when they are closed, and take no more', async () => {
    await asked()
    onData = () => undefined
    const heard = ask()
    await until(() => came[0]!.split('POST').length === 3)
    const closed = pool.close()
    expect((await asked()).outcome).to.equal('broken: its connections are closed')
    sockets[0]!.write(WHOLE)
    await closed
    expect(heard.outcome).to.equal('end')
  })
})
