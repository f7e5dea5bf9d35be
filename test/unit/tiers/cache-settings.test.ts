import {readdirSync, readFileSync} from 'node:fs'
import {join} from 'node:path'
import {expect} from 'chai'
import {CacheSettings} from '../../../src/lib/tiers/cache-settings.js'
import {INERT_SETTINGS, SETTING_NAMES} from '../../../src/lib/tiers/setting-definitions.js'
import {openSmallWorker} from '../../support/cache-worker.js'
import {repositoryRoot} from '../../support/cli.js'

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
  it('change something, or stand in the list of those that do not', () => {
    const code = sources(join(repositoryRoot, 'src'))
    const unused = SETTING_NAMES.filter(name => !new RegExp(`['"]${name}['"]`).test(code))
    expect(unused).to.deep.equal([...INERT_SETTINGS])
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
