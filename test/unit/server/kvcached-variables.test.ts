import {expect} from 'chai'
import {kvcachedVariables} from '../../../src/server/kvcached-variables.js'

const defaults = {
  kv: {rowBytes: 2048, pageBytes: 2 * 2 ** 20},
  minReservedPages: 5,
  maxReservedPages: 10,
  memoryUtilization: 0.95,
}

describe("kvcached's variables", () => {
  it('change nothing where they are not set or empty', () => {
    expect(
      kvcachedVariables({KVCACHED_PAGE_SIZE_MB: '', KVCACHED_PAGE_PREALLOC_ENABLED: ''}, 16),
    ).to.deep.equal(defaults)
  })

  it('give the page in bytes and the reserve in pages', () => {
    const environment = {
      KVCACHED_PAGE_SIZE_MB: '4',
      KVCACHED_MIN_RESERVED_PAGES: '2',
      KVCACHED_MAX_RESERVED_PAGES: '0',
    }
    expect(kvcachedVariables(environment, 16)).to.deep.equal({
      ...defaults,
      kv: {rowBytes: 2048, pageBytes: 4 * 2 ** 20},
      minReservedPages: 2,
      maxReservedPages: 0,
    })
  })

  it('map nothing ahead when KVCACHED_PAGE_PREALLOC_ENABLED is false, in any case', () => {
    const reserve = (value: string): unknown =>
      kvcachedVariables({KVCACHED_PAGE_PREALLOC_ENABLED: value, KVCACHED_MIN_RESERVED_PAGES: '3'}, 16)
    expect(reserve('TRUE')).to.deep.equal({...defaults, minReservedPages: 3})
    expect(reserve('false')).to.deep.equal({...defaults, minReservedPages: 0})
  })

  for (const [tokens, blocks] of [
    ['-1', null],
    ['0', 0],
    ['5', 1],
    ['16000', 16_000 / 16],
  ] as const) {
    it(`keep ${tokens} cached tokens as ${blocks ?? 'any number of'} blocks of 16`, () => {
      expect(kvcachedVariables({KVCACHED_MAX_CACHED_TOKENS: tokens}, 16)).to.deep.equal({
        ...defaults,
        maxCachedBlocks: blocks,
      })
    })
  }
})
