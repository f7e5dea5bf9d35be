import {writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {expect} from 'chai'
import {readServeFile, type ServeConfig} from '../../../src/cli/serve-config.js'
import type {ServeFlags} from '../../../src/cli/serve-flags.js'
import {serveSettings} from '../../../src/cli/serve-settings.js'
import {rejection} from '../../support/rejection.js'
import {temporaryFolder} from '../../support/temporary.js'

const noFlags = {} as ServeFlags
const FULL = `api: [segments, system]
host: 0.0.0.0
port: 7070
listen: {system: 9100}
token: from-file
cors_origin:
  - http://page.test
drain_timeout: 250ms
engine_url: ['http://gpu-7:8000']
dcgm_metrics: true
`

describe('the configuration file of kvctl serve', () => {
  const folder = temporaryFolder()
  const read = async (text: string): Promise<ServeConfig> => {
    writeFileSync(join(folder(), 'kvctl.yaml'), text)
    return (await readServeFile(join(folder(), 'kvctl.yaml'), {})).options
  }

  it('says all that flags say', async () => {
    expect(serveSettings(noFlags, {}, await read(FULL))).to.deep.include({
      families: ['segments', 'system'],
      host: '0.0.0.0',
      port: 7070,
      listen: [{family: 'system', port: 9100}],
      token: 'from-file',
      isOpen: false,
      corsOrigins: ['http://page.test'],
      drainMs: 250,
      engineUrls: ['http://gpu-7:8000'],
      hasDcgmNames: true,
    })
  })

  it('gives way to the environment, and both to flags', async () => {
    const file = await read(FULL)
    expect(serveSettings(noFlags, {KVCTL_TOKEN: 'from-environment'}, file).token).to.equal('from-environment')
    expect(serveSettings(noFlags, {KVCTL_ENGINE_URLS: 'http://a, http://b'}, file).engineUrls).to.deep.equal([
      'http://a',
      'http://b',
    ])
    const flags = {port: 1, token: 'from-flag', listen: [], 'drain-timeout': 0} as unknown as ServeFlags
    expect(serveSettings(flags, {KVCTL_TOKEN: 'from-environment'}, file)).to.deep.include({
      port: 1,
      token: 'from-flag',
      listen: [],
      drainMs: 0,
    })
  })

  it('does not undo a token that was asked for by flag', async () => {
    const file = await read('no_auth: true\n')
    expect(serveSettings(noFlags, {}, file)).to.include({token: null, isOpen: true})
    expect(serveSettings({token: 'own'} as unknown as ServeFlags, {}, file)).to.include({
      token: 'own',
      isOpen: false,
    })
  })

  it('and the environment name engines by address', () => {
    expect(() => serveSettings(noFlags, {KVCTL_ENGINE_URLS: 'http://a,b'}, {}))
      .to.throw("not 'b'")
      .with.property('code', 'USAGE')
  })

  it('may be missing: then kvctl serve listens on port 6767 of the loopback', () => {
    expect(serveSettings(noFlags, {}, {})).to.include({host: '127.0.0.1', port: 6767, token: null})
  })

  it('may be empty', async () => {
    expect(await read('# nothing yet\n')).to.deep.equal({})
  })

  for (const [what, text, line] of [
    ['an unknown option', 'port: 1\nprot: 2\n', /kvctl\.yaml:2: prot: /],
    ['an unknown family', 'api:\n  - segments\n  - none\n', /kvctl\.yaml:3: api\.1: /],
    ['an engine that has no address', 'engine_url: [localhost]\n', /kvctl\.yaml:1: engine_url\.0: .*http/],
    ['a port that is none', 'listen:\n  system: 65536\n', /kvctl\.yaml:2: listen\.system: /],
    ['a duration that is none', '\ndrain_timeout: soon\n', /kvctl\.yaml:2: drain_timeout: .*soon/],
    [
      'an origin that is none',
      'cors_origin: [page.test]\n',
      /kvctl\.yaml:1: cors_origin\.0: .*localhost:3000/,
    ],
  ] as const) {
    it(`refuses ${what} with its line`, async () => {
      const error = await rejection(read(text))
      expect(error).to.include({code: 'CONFIG_INVALID', exitCode: 2})
      expect((error as Error).message).to.match(line)
    })
  }

  it("holds kvcached's controller beside its own options", async () => {
    const text = 'port: 7070\ninstances: [{model: m, engine: vllm, engine_args: --port 1}]\n'
    writeFileSync(join(folder(), 'kvctl.yaml'), text)
    const {options, controller} = await readServeFile(join(folder(), 'kvctl.yaml'), {})
    expect(options).to.deep.equal({port: 7070})
    expect(controller.models.map(({name}) => name)).to.deep.equal(['m'])
  })
})
