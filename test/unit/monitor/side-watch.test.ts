import {expect} from 'chai'
import {NetworkError, systemClock, VirtualClock} from '../../../src/lib/foundation/index.js'
import type {HttpClient} from '../../../src/lib/http/index.js'
import {lookAtModels, lookAtTiers, SideWatch} from '../../../src/lib/monitor/index.js'

describe('a watch over what may not be there', () => {
  let clock: VirtualClock
  let answer: readonly string[] | null | Error
  let asked: number
  let side: SideWatch<string>
  const later = (ms: number): void => clock.advanceTo(clock.nowNs() + ms * 1e6)

  beforeEach(() => {
    clock = new VirtualClock(1e12)
    asked = 0
    side = new SideWatch(async () => {
      asked++
      if (answer instanceof Error) throw answer
      return answer
    }, clock)
  })

  it('shows what was found, and asks at most one question at a time', async () => {
    answer = ['a']
    await Promise.all([side.refresh(), side.refresh()])
    expect([asked, side.known]).to.deep.equal([1, ['a']])
  })

  it('leaves what is not there in peace for a while', async () => {
    for (const nothing of [null, new Error('refused')]) {
      answer = nothing
      asked = 0
      await side.refresh()
      await side.refresh()
      expect([asked, side.known]).to.deep.equal([1, []])
      later(10_001)
    }
    await side.refresh()
    expect(asked).to.equal(2)
  })

  it('shows what fell silent as it was, asks on, and forgets it after a minute', async () => {
    answer = ['a']
    await side.refresh()
    answer = new Error('reset')
    later(59_000)
    await side.refresh()
    await side.refresh()
    expect([asked, side.known]).to.deep.equal([3, ['a']])
    later(2000)
    expect(side.known).to.deep.equal([])
  })
})

describe('a controller or cache worker that is not there', () => {
  it('is asked one question a time', async () => {
    const asked: string[] = []
    const http: Pick<HttpClient, 'send'> = {
      send: (_method, url) => {
        asked.push(url)
        return Promise.reject(new NetworkError('ENDPOINT_UNREACHABLE', `${url} cannot be reached`))
      },
    }
    const server = {url: 'http://nobody', token: null, http: http as HttpClient, clock: systemClock}
    for (const look of [lookAtModels, lookAtTiers]) await look(server).catch(() => null)
    expect(asked).to.deep.equal(['http://nobody/models', 'http://nobody/backends/figures'])
  })
})
