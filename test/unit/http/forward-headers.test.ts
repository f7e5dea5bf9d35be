import {expect} from 'chai'
import {headersToForward} from '../../../src/lib/http/index.js'

describe('headers that go on to the next server', () => {
  it('keep order, spelling and repetition', () => {
    const headers = ['X-Trace', 'a', 'Set-Cookie', '1', 'set-cookie', '2', 'Date', 'now']
    expect(headersToForward(headers)).to.deep.equal(headers)
  })

  it('are without those of the connection, and those that it names', () => {
    const headers = [
      ...['Connection', 'close, X-Mine', 'x-mine', '1', 'Keep-Alive', 'timeout=5', 'TE', 'trailers'],
      ...['Transfer-Encoding', 'chunked', 'Upgrade', 'h2c', 'Proxy-Authorization', 'p', 'X-Yours', '2'],
    ]
    expect(headersToForward(headers)).to.deep.equal(['X-Yours', '2'])
  })

  it('are without those that the caller takes out', () => {
    expect(headersToForward(['Host', 'a', 'Accept', '*/*'], new Set(['host']))).to.deep.equal([
      'Accept',
      '*/*',
    ])
  })
})
