import {once} from 'node:events'
import {createServer, type AddressInfo} from 'node:net'
import {expect} from 'chai'
import {listeningSockets, parseTcpTable, socketInodesOf} from '../../../src/lib/processes/index.js'

describe('sockets that listen', () => {
  it('are the rows in state 0A of /proc/net/tcp, addresses in the byte order of the machine', () => {
    const text = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F40 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 4242 1 0000 100 0 0 10 0
   1: 0100007F:1F41 0100007F:D431 01 00000000:00000000 00:00000000 00000000  1000        0 4243 1 0000 100 0 0 10 0
`
    expect(parseTcpTable(text)).to.deep.equal([{address: '127.0.0.1', port: 8000, inode: '4242'}])
  })

  it('of version 6 are told the same way', () => {
    const row = (address: string): string =>
      `0: ${address}:1F40 ${'0'.repeat(32)}:0000 0A 00000000:00000000 00:00000000 00000000 0 0 7 1 0`
    const addresses = ['0'.repeat(32), '00000000000000000000000001000000', 'B80D0120000000000000000001000000']
    expect(
      addresses.flatMap(address => parseTcpTable(row(address))).map(({address}) => address),
    ).to.deep.equal(['::', '::1', '2001:db8:0:0:0:0:0:1'])
  })

  it('are found with the process that has them open', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const {port} = server.address() as AddressInfo
    const [sockets, own] = await Promise.all([listeningSockets(), socketInodesOf(process.pid)])
    expect(sockets.filter(({inode}) => own.has(inode)).map(socket => socket.port)).to.include(port)
    server.close()
    expect(await socketInodesOf(99_999_999)).to.deep.equal(new Set())
  })
})
