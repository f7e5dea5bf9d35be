import {createServer, type AddressInfo, type Server} from 'node:net'
import {expect} from 'chai'
import {whoListens} from '../../../src/lib/processes/index.js'

describe('who listens', () => {
  let server: Server

  before(async () => {
    server = createServer().listen(0, '127.0.0.1')
    await new Promise(resolve => server.once('listening', resolve))
  })
  after(() => server.close())

  it('is found by the port, with the process', async () => {
    const {port} = server.address() as AddressInfo
    expect(await whoListens([port, 1])).to.deep.equal([{port, pid: process.pid}])
    expect(await whoListens([1])).to.deep.equal([])
  })
})
