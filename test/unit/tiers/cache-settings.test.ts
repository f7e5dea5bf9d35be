import {readdirSync, readFileSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {expect} from 'chai'
import {silentLogger} from '../../../src/lib/foundation/index.js'
import {CacheSettings, loadCacheSettings} from '../../../src/lib/tiers/cache-settings.js'
import {INERT_SETTINGS, SETTING_NAMES} from '../../../src/lib/tiers/setting-definitions.js'
import {openSmallWorker} from '../../support/cache-worker.js'
import {repositoryRoot} from '../../support/cli.js'
import {rejection} from '../../support/rejection.js'
import {temporaryFolder} from '../../support/temporary.js'

/** Everything that could use a setting. */
function sources(folder: string): string {
  return readdirSync(folder, {withFileTypes: true})
    .filter(({name}) => name !== 'setting-definitions.ts')
    .map(entry => {
      const path = join(folder, entry.name)
      return entry.isDirectory() ? sources(path) : readFileSync(path, 'utf8')
    })
    .join('\n')
}

describe('the settings of a cache worker', () => {
  const folder = temporaryFolder()
  it('change something, or stand in the list of those that do not', () => {
    const code = sources(join(repositoryRoot, 'src'))
    const unused = SETTING_NAMES.filter(name => !new RegExp(`['"]${name}['"]`).test(code))
    expect(unused).to.deep.equal([...INERT_SETTINGS])
  })

  for (const [name, value, expected] of [
    ['CHUNK_SIZE', '128', 128],
    ['CHUNK_SIZE', '"128"', 128],
    ['CHUNK_SIZE', '1.5', undefined],
    ['CHUNK_SIZE', '-1', undefined],
    ['MAX_LOCAL_CPU_SIZE', '0.5', 0.5],
    ['MAX_LOCAL_CPU_SIZE', 'Infinity', undefined],
    ['LOCAL_CPU', 'True', true],
    ['LOCAL_CPU', '1', true],
    ['LOCAL_CPU', 'yes', false],
    ['LOCAL_DISK', "'/kv'", '/kv'],
    ['LOCAL_DISK', '', null],
    ['CACHE_POLICY', 'lfu', 'LFU'],
    ['CACHE_POLICY', 'BEST', undefined],
    ['RETRIEVE_LOCATIONS', 'LocalCPUBackend, RemoteBackend', ['LocalCPUBackend', 'RemoteBackend']],
    ['LMCACHE_WORKER_PORTS', '1,2', [1, 2]],
    ['LMCACHE_WORKER_PORTS', '1,b', undefined],
    ['EXTRA_CONFIG', '{"save_chunk_meta": false}', {save_chunk_meta: false}],
    ['EXTRA_CONFIG', '[1]', undefined],
  ] as const) {
    it(`read LMCACHE_${name}=${value}${expected === undefined ? ' not' : ''}, as upstream does`, async () => {
      const read = loadCacheSettings(null, {[`LMCACHE_${name}`]: value}, silentLogger)
      if (expected === undefined)
        expect(await rejection(read)).to.have.property('code', 'CACHE_CONFIG_INVALID')
      else expect((await read).shown([name.toLowerCase()])).to.deep.equal({[name.toLowerCase()]: expected})
    })
  }

  it('have older names in files, and unknown keys are told with their line', async () => {
    const file = join(folder(), 'lmcache.yaml')
    writeFileSync(
      file,
      'controller_url: a:1\nlmcache_worker_port: 8\nplugin_locations: [x]\nexternal_backends: y\nnothing: 1\n',
    )
    const warnings: string[] = []
    const logger = {...silentLogger, warn: (text: string) => void warnings.push(text)}
    const settings = await loadCacheSettings(file, {LMCACHE_CONTROLLER_PULL_URL: 'b:2'}, logger)
    expect(
      settings.shown([
        'controller_pull_url',
        'lmcache_worker_ports',
        'runtime_plugin_locations',
        'storage_plugins',
      ]),
    ).to.deep.equal({
      ...{controller_pull_url: 'b:2', lmcache_worker_ports: [8]},
      ...{runtime_plugin_locations: ['x'], storage_plugins: ['y']},
    })
    expect(warnings).to.deep.equal([`${file}:5: nothing is not known and ignored`])
  })

  it('of extra_config keep to the kind that each key takes; keys of others are left alone', () => {
    const settings = new CacheSettings()
    const change = (extra: Readonly<Record<string, unknown>>): unknown =>
      settings.change({extra_config: extra}).errors
    expect(settings.extra('save_chunk_meta')).to.equal(true)
    expect(
      change({save_chunk_meta: false, remote_ttl_seconds: 5, plugin: 'x', base_path: null}),
    ).to.deep.equal({})
    expect([settings.extra('save_chunk_meta'), settings.extra('remote_ttl_seconds')]).to.deep.equal([
      false,
      5,
    ])
    for (const wrong of [{use_odirect: 'yes'}, {remote_ttl_seconds: '5'}, {base_path: 1}])
      expect(change(wrong)).to.deep.equal({extra_config: 'Failed to set config value'})
    expect([settings.extra('save_chunk_meta'), settings.extra('base_path')]).to.deep.equal([false, ''])
  })

  it('are warned of when they are set and change nothing, at the start and later', async () => {
    expect(new CacheSettings().inert()).to.deep.equal([])
    const warnings: string[] = []
    const logger = {debug() {}, info() {}, error() {}, warn: (text: string) => void warnings.push(text)}
    const worker = await openSmallWorker({
      settings: {enable_p2p: true, gds_path: '/gds', priority_limit: null},
      logger,
    })
    const text = (name: string): string => `cache setting '${name}' is known and has no effect in kvctl`
    expect(warnings).to.deep.equal([text('enable_p2p'), text('gds_path')])
    await worker.close()
  })
})
