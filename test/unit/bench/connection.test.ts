import {once} from 'node:events'
import {createServer, type AddressInfo} from 'node:net'
import {setTimeout as sleep} from 'node:timers/promises'
import {expect} from 'chai'
import {Connection} from '../../../src/lib/bench/connection.js'
import type {ExchangeListener} from '../../../src/lib/bench/load-transport.js'

const LIMITS = {connectMs: 5000, firstTokenMs: null, idleMs: null, totalMs: null}
const HEAD = 'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n'
const CHUNKED = `${HEAD}transfer-encoding: chunked\r\n\r\n`

/** An answer in pieces, each sent when the one before was read; nothing follows the last. @returns the body */
async function answered(pieces: readonly string[]): Promise<string> {
  const server = createServer(socket => {
    socket.setNoDelay(true)
    socket.once('data', () => void send())
    const send = async (): Promise<void> => {
      for (const piece of pieces) {
        socket.write(piece, 'latin1')
        await sleep(5)
      }
    }
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const {port} = server.address() as AddressInfo
  const target = {host: '127.0.0.1', port, isTls: false, isInsecure: false, isKept: true, limits: LIMITS}
  const nothing = (): void => undefined
  // Nobody looks at limits here, which would take all that was read.
  const connection = new Connection(target, '127.0.0.1', {idle: nothing, send: nothing, closed: nothing})
  let body = ''
  try {
    await new Promise<void>((resolve, reject) => {
      const listener: ExchangeListener = {
        ...{sent: nothing, read: nothing, head: nothing, done: resolve},
        body: (bytes, start, end) => void (body += bytes.toString('latin1', start, end)),
        failed: (failure, message) => reject(new Error(`${failure}: ${message}`)),
        get hasToken() {
          return body !== ''
        },
      }
      connection.send(Buffer.from('GET / HTTP/1.1\r\nhost: x\r\n\r\n'), listener)
    })
    return body
  } finally {
    connection.close()
    server.close()
  }
}

describe('the end of an answer after which nothing comes', () => {
  const last = '0\r\n\r\n'
  for (let cut = 0; cut < last.length; cut++) {
    it(`is taken when it comes: the last chunk, cut after ${cut} bytes`, async () => {
      const pieces = [`${CHUNKED}1\r\na\r\n`, `1\r\nb\r\n${last.slice(0, cut)}`, last.slice(cut)]
      expect(await answered(pieces)).to.equal('ab')
    })
  }

  it('is taken when it comes: byte by byte', async () => {
    expect(await answered([`${CHUNKED}1\r\na\r\n`, ...Array.from('1\r\nb\r\n0\r\n\r\n')])).to.equal('ab')
  })

  it('is taken when it comes: trailers, whole and cut', async () => {
    for (const end of [
      ['0\r\nx-sum: 1\r\n\r\n'],
      ['0\r\nx-sum: 1', '\r\n\r\n'],
      ['0\r\nx-sum: 1\r\n', '\r\n'],
    ])
      expect(await answered([`${CHUNKED}1\r\na\r\n`, '1\r\nb\r\n', ...end])).to.equal('ab')
  })

  it('is taken when it comes: a content length', async () => {
    expect(await answered([`${HEAD}content-length: 12\r\n\r\nabcd`, 'efgh', 'ijkl'])).to.equal('abcdefghijkl')
  })
})
