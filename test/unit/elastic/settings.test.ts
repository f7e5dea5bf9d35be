import {expect} from 'chai'
import {ConfigurationError} from '../../../src/lib/foundation/index.js'
import {readKvcachedSettings, type KvcachedSettings} from '../../../src/lib/elastic/settings.js'

const DEFAULTS: KvcachedSettings = {
  isEnabled: false,
  autopatches: false,
  gpuUtilization: 0.95,
  pageBytes: 2 ** 21,
  preallocates: true,
  minReservedPages: 5,
  maxReservedPages: 10,
  isContiguous: true,
  maxCachedTokens: null,
  ipcTimeoutMs: 60_000,
}

describe("kvcached's settings", () => {
  it('are its defaults where nothing is set, or set to nothing', () => {
    expect(readKvcachedSettings({})).to.deep.equal(DEFAULTS)
    expect(readKvcachedSettings({KVCACHED_PAGE_SIZE_MB: '', KVCACHED_CONTIGUOUS_LAYOUT: ' '})).to.deep.equal(
      DEFAULTS,
    )
  })

  const meanings: [name: string, value: string, key: keyof KvcachedSettings, setting: unknown][] = [
    ['KVCACHED_AUTOPATCH', 'TRUE', 'autopatches', true],
    ['KVCACHED_GPU_UTILIZATION', '0.5', 'gpuUtilization', 0.5],
    ['KVCACHED_PAGE_SIZE_MB', '6', 'pageBytes', 6 * 2 ** 20],
    ['KVCACHED_PAGE_PREALLOC_ENABLED', 'False', 'preallocates', false],
    ['KVCACHED_MIN_RESERVED_PAGES', '0', 'minReservedPages', 0],
    ['KVCACHED_MAX_RESERVED_PAGES', '7', 'maxReservedPages', 7],
    ['KVCACHED_CONTIGUOUS_LAYOUT', 'false', 'isContiguous', false],
    ['KVCACHED_MAX_CACHED_TOKENS', '-1', 'maxCachedTokens', -1],
    ['KVCACHED_IPC_TIMEOUT', '2.5', 'ipcTimeoutMs', 2500],
    ['KVCACHED_IPC_TIMEOUT', '0', 'ipcTimeoutMs', Infinity],
  ]
  for (const [name, value, key, setting] of meanings) {
    it(`${name}=${value} is ${key} ${String(setting)}`, () => {
      expect(readKvcachedSettings({[name]: value})).to.deep.equal({...DEFAULTS, [key]: setting})
    })
  }

  it('ENABLE_KVCACHED=true patches too, unless KVCACHED_AUTOPATCH says otherwise', () => {
    expect(readKvcachedSettings({ENABLE_KVCACHED: 'true'})).to.include({isEnabled: true, autopatches: true})
    const environment = {ENABLE_KVCACHED: 'true', KVCACHED_AUTOPATCH: '0'}
    expect(readKvcachedSettings(environment)).to.include({isEnabled: true, autopatches: false})
  })

  for (const [name, value] of [
    ['ENABLE_KVCACHED', 'yes'],
    ['KVCACHED_AUTOPATCH', '2'],
    ['KVCACHED_GPU_UTILIZATION', '95%'],
    ['KVCACHED_GPU_UTILIZATION', '0'],
    ['KVCACHED_PAGE_SIZE_MB', '3'],
    ['KVCACHED_PAGE_SIZE_MB', '2MB'],
    ['KVCACHED_PAGE_PREALLOC_ENABLED', 'on'],
    ['KVCACHED_MIN_RESERVED_PAGES', '-1'],
    ['KVCACHED_MAX_RESERVED_PAGES', '1e3'],
    ['KVCACHED_CONTIGUOUS_LAYOUT', 'maybe'],
    ['KVCACHED_SANITY_CHECK', 'x'],
    ['KVCACHED_MAX_CACHED_TOKENS', 'all'],
    ['KVCACHED_MAX_CACHED_BLOCKS', 'many'],
    ['KVCACHED_IPC_TIMEOUT', 'soon'],
  ] as const) {
    it(`${name}=${value} is an error that names it, where kvcached takes a default or a zero`, () => {
      expect(() => readKvcachedSettings({[name]: value}))
        .to.throw(ConfigurationError, `${name} must be`)
        .with.property('message')
        .that.includes(`not '${value}'`)
    })
  }
})
