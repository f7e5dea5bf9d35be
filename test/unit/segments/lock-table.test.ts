import {expect} from 'chai'
import {parseLocks} from '../../../src/lib/segments/lock-table.js'

// Device 0:0x19 as st_dev is 0x19; inode 77.
const TABLE = `1: FLOCK  ADVISORY  WRITE 4242 00:19:77 0 EOF
1: -> FLOCK  ADVISORY  READ  555 00:19:77 0 EOF
1: -> FLOCK  ADVISORY  WRITE 556 00:19:77 0 EOF
2: POSIX  ADVISORY  WRITE 600 00:19:77 0 EOF
3: FLOCK  ADVISORY  READ  601 00:19:78 0 EOF
4: FLOCK  ADVISORY  READ  602 08:101:77 0 EOF
5: OFDLCK ADVISORY  READ  -1 00:19:77 0 EOF
`

describe("the kernel's lock table", () => {
  it('gives the holders and waiters of flock locks on one file, and no other kind of lock', () => {
    expect(parseLocks(TABLE, {device: 0x19n, inode: 77n})).to.deep.equal([
      {pid: 4242, kind: 'exclusive', isWaiting: false},
      {pid: 555, kind: 'shared', isWaiting: true},
      {pid: 556, kind: 'exclusive', isWaiting: true},
    ])
  })

  it('unpacks device numbers beyond 8 bits: major 8, minor 0x101 is st_dev 0x100801', () => {
    expect(parseLocks(TABLE, {device: 0x10_08_01n, inode: 77n})).to.deep.equal([
      {pid: 602, kind: 'shared', isWaiting: false},
    ])
  })
})
