import {createServer, type AddressInfo, type Server} from 'node:net'
import {expect} from 'chai'
import {listeningSockets} from '../../../src/lib/processes/listening-ports.js'
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

  it('is read of the kernel’s table: sockets in LISTEN alone', () => {
    const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F40 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 40123 1 0000000000000000 100
   1: 0100007F:1F40 0100007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 40124 1 0000000000000000 20
`
    expect(listeningSockets(table)).to.deep.equal([{port: 8000, inode: '40123'}])
    expect(listeningSockets('')).to.deep.equal([])
  })
})
