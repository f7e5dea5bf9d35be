import {randomBytes} from 'node:crypto'
import {once} from 'node:events'
import {createServer, type AddressInfo, type Server, type Socket} from 'node:net'
import {expect} from 'chai'
import {Redis} from 'ioredis'
import {ValueReader, ValueTimeout} from '../../../src/lib/tiers/connectors/value-reader.js'
import {startRedis, type RedisServer} from '../../support/redis.js'
import {rejection} from '../../support/rejection.js'
import {describeWith} from '../../support/requires.js'

const USUAL = {username: null, password: null, database: 0, timeoutMs: 5000}

describe('the reader of large values', () => {
  let server: Server
  let reader: ValueReader
  const sockets: Socket[] = []
  /** A server that says nothing but what a test has it say. */
  const open = async (more: {timeoutMs?: number; password?: string} = {}): Promise<void> => {
    server = createServer(socket => void sockets.push(socket))
    await once(server.listen(0, '127.0.0.1'), 'listening')
    const {port} = server.address() as AddressInfo
    reader = new ValueReader({...USUAL, ...more, server: {host: '127.0.0.1', port}})
    await once(server, 'connection')
  }
  const say = (...parts: (string | Buffer)[]): void => {
    for (const part of parts) sockets.at(-1)!.write(part)
  }
  afterEach(async () => {
    reader.close()
    for (const socket of sockets.splice(0)) socket.destroy()
    await new Promise(resolve => server.close(resolve))
  })

  it('puts each value where it is for, however it is cut', async () => {
    await open()
    const values = [randomBytes(700_000), randomBytes(1), Buffer.from('\r\n$-1\r\n'), randomBytes(300_001)]
    const intos = values.map(value => Buffer.alloc(value.length))
    const reads = intos.map(async (into, index) => reader.get(String(index), into))
    const stream = Buffer.concat(
      values.flatMap(value => [Buffer.from(`$${value.length}\r\n`), value, Buffer.from('\r\n')]),
    )
    sockets[0]!.setNoDelay(true)
    for (const [at, end] of [
      [0, 1],
      [1, 9],
      [9, 700_009],
      [700_009, 700_010],
      [700_010, 700_020],
      [700_020, stream.length],
    ]) {
      say(stream.subarray(at, end))
      await new Promise(resolve => setImmediate(resolve))
    }
    expect(await Promise.all(reads)).to.deep.equal(values.map(({length}) => length))
    intos.forEach((into, index) => expect(into.equals(values[index]!)).to.equal(true))
  })

  it('tells of values that are longer or shorter than their place, or not there, and goes on', async () => {
    await open()
    const intos = [4, 4, 4, 4].map(length => Buffer.alloc(length, 'x'))
    const reads = intos.map(async (into, index) => reader.get(String(index), into))
    say('$6\r\nabcdef\r\n$2\r\nab\r\n$-1\r\n$4\r\nabcd\r\n')
    expect(await Promise.all(reads)).to.deep.equal([6, 2, null, 4])
    expect(intos.map(String)).to.deep.equal(['abcd', 'abxx', 'xxxx', 'abcd'])
    expect(reader.pending).to.equal(0)
  })

  it('refuses one value with what the server says, and goes on', async () => {
    await open()
    const [wrong, right] = [reader.get('a', Buffer.alloc(2)), reader.get('b', Buffer.alloc(2))]
    say('-WRONGTYPE Operation against a key\r\n$2\r\nab\r\n')
    expect(await rejection(wrong)).to.have.property('message', 'WRONGTYPE Operation against a key')
    expect(await right).to.equal(2)
  })

  it('gives no value at all where it was not let in', async () => {
    await open({password: 'no'})
    const into = Buffer.alloc(2)
    const read = reader.get('a', into)
    say('-WRONGPASS invalid\r\n$2\r\nab\r\n')
    expect(await rejection(read)).to.have.property('message', 'WRONGPASS invalid')
    expect([reader.isClosed, into.toString()]).to.deep.equal([true, '\0\0'])
  })

  for (const [what, text] of [
    ['another protocol', 'HTTP/1.1 400 Bad Request\r\n'],
    ['an endless line', `+${'x'.repeat(5000)}`],
    ['a list', '*1\r\n$1\r\na\r\n'],
  ] as const) {
    it(`ends at ${what}`, async () => {
      await open()
      const read = reader.get('a', Buffer.alloc(2))
      say(text)
      expect(await rejection(read)).to.have.property('message', 'the server does not speak RESP')
      expect(reader.isClosed).to.equal(true)
    })
  }

  it('waits for no byte longer than it may, and leaves memory alone from then on', async () => {
    await open({timeoutMs: 50})
    const into = Buffer.alloc(4)
    const read = reader.get('a', into)
    say('$4\r\nab')
    expect(await rejection(read)).to.be.instanceOf(ValueTimeout)
    say('cd\r\n')
    expect(await rejection(reader.get('b', into))).to.have.property('message', 'the connection was closed')
    expect(into.toString()).to.equal('ab\0\0')
  })

  it('fails what is asked when the server goes', async () => {
    await open()
    const read = reader.get('a', Buffer.alloc(4))
    sockets[0]!.destroy()
    expect(await rejection(read)).to.be.instanceOf(Error)
  })
})

describeWith(['redis-server'], 'the reader of large values on a real server', () => {
  let server: RedisServer
  before(async () => (server = await startRedis()))
  after(async () => server.stop())

  it('is let in with name and password, and reads from its database', async () => {
    const client = new Redis({port: server.port, db: 3})
    const value = randomBytes(2 ** 20)
    await client.set('big', value)
    await client.call('ACL', 'SETUSER', 'kv', 'on', '>secret ü', '~*', '+@all')
    const into = Buffer.alloc(value.length)
    const reader = new ValueReader({
      ...{server: {host: '127.0.0.1', port: server.port}, username: 'kv', password: 'secret ü'},
      ...{database: 3, timeoutMs: 5000},
    })
    expect(await reader.get('big', into)).to.equal(value.length)
    expect(into.equals(value)).to.equal(true)
    reader.close()
    client.disconnect()
  })
})
