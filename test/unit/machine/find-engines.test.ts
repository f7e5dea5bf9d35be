import {once} from 'node:events'
import {createServer, type AddressInfo, type Server} from 'node:net'
import {expect} from 'chai'
import {engineOf, findEngineAddresses} from '../../../src/lib/machine/find-engines.js'
import {listenLow} from '../../support/listen-low.js'

describe('where engines are looked for', () => {
  const servers: Server[] = []
  afterEach(() => {
    for (const server of servers.splice(0)) server.close()
  })
  const open = (): Server => {
    const server = createServer()
    servers.push(server)
    return server
  }
  const find = (configured: string[], pids: number[]): ReturnType<typeof findEngineAddresses> =>
    findEngineAddresses({configured, pids, procFolder: '/proc'})

  it('is http://localhost:8000 and the ports on which processes with GPU memory listen', async () => {
    const port = await listenLow(open())
    const [standard, ...others] = await find([], [process.pid])
    expect(standard).to.include({url: 'http://localhost:8000', source: 'default'})
    const found = others.find(({url}) => url === `http://127.0.0.1:${port}`)
    expect(found).to.include({source: 'listening'})
    expect(found!.pids).to.include(process.pid)
  })

  it('is not a port that the system handed out: engines talk among themselves there', async () => {
    const server = open().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const {port} = server.address() as AddressInfo
    const urls = (await find([], [process.pid])).map(({url}) => url)
    expect(urls).to.not.include(`http://127.0.0.1:${port}`)
  })

  it('is what the user named and nothing else, with the process behind it where that is seen', async () => {
    const port = await listenLow(open())
    const named = [`http://localhost:${port}/`, 'http://gpu-7.test:8000']
    const [own, far, ...others] = await find(named, [process.pid])
    expect(own).to.include({url: `http://localhost:${port}`, source: 'configured'})
    expect(own!.pids).to.include(process.pid)
    expect(far).to.deep.equal({url: 'http://gpu-7.test:8000', source: 'configured', pids: []})
    expect(others).to.deep.equal([])
  })
})

describe('the processes of an engine', () => {
  const families = new Map(
    (
      [
        [10, 1, 10],
        [11, 10, 10],
        [12, 11, 10],
        [20, 10, 10],
        [21, 20, 10],
        [30, 1, 30],
      ] as const
    ).map(([pid, parentPid, groupId]) => [pid, {parentPid, groupId}]),
  )

  it('are the one that listens and its descendants, not those of a neighbour in its group', () => {
    expect(engineOf([11], new Set([12, 21]), families)).to.deep.equal([11, 12])
    expect(engineOf([20], new Set([12, 21]), families)).to.deep.equal([20, 21])
  })

  it('begin with the eldest of those that inherited the socket', () => {
    expect(engineOf([12, 11], new Set([12]), families)).to.deep.equal([11, 12])
  })

  it('are those of the parent where the one that listens does not work itself', () => {
    expect(engineOf([12], new Set([21]), families)).to.have.members([11, 12])
    expect(engineOf([11], new Set([21]), families)).to.have.members([10, 11, 12, 20, 21])
    expect(engineOf([30], new Set([21]), families)).to.deep.equal([30])
  })
})
