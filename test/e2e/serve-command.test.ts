import type {ChildProcess} from 'node:child_process'
import {once} from 'node:events'
import {mkdirSync, writeFileSync} from 'node:fs'
import {createServer, type AddressInfo} from 'node:net'
import {join} from 'node:path'
import {createInterface} from 'node:readline'
import {expect} from 'chai'
import {runCli, startCli} from '../support/cli.js'
import {startPrometheus} from '../support/prometheus.js'
import {checkMetrics} from '../support/promtool.js'
import {describeWith} from '../support/requires.js'
import {GIB, recordBytes} from '../support/segments.js'
import {temporaryFolder} from '../support/temporary.js'

interface Listening {
  readonly url: string
  readonly pid: number
  readonly listeners: readonly {readonly url: string; readonly families: readonly string[]}[]
}

describe('kvctl serve', function () {
  this.timeout(30_000)
  const folder = temporaryFolder()
  const started: ChildProcess[] = []
  const environment = (more: NodeJS.ProcessEnv): NodeJS.ProcessEnv => ({
    KVCTL_SHM_DIR: join(folder(), 'shm'),
    KVCTL_STATE_DIR: join(folder(), 'state'),
    KVCTL_TOKEN: '',
    KVMINI_TOKEN: '',
    ...more,
  })

  beforeEach(() => {
    mkdirSync(join(folder(), 'shm'))
    writeFileSync(join(folder(), 'shm', 'a'), recordBytes(8n * GIB, 6n * GIB))
  })
  afterEach(() => {
    for (const child of started.splice(0)) child.kill('SIGKILL')
  })

  const serve = async (
    args: readonly string[] = [],
    env: NodeJS.ProcessEnv = {},
  ): Promise<Listening & {child: ChildProcess}> => {
    const child = startCli(['serve', '--port', '0', '--json', ...args], {env: environment(env)})
    started.push(child)
    const [line] = (await once(createInterface(child.stdout!), 'line')) as [string]
    return {...(JSON.parse(line) as Listening), child}
  }
  const end = async (child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> => {
    child.kill(signal)
    return ((await once(child, 'close')) as [number | null])[0]
  }

  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    it(`serves every family, and leaves with 0 after ${signal} although a stream is open`, async () => {
      const {url, pid, listeners, child} = await serve()
      expect(pid).to.equal(child.pid)
      expect(url).to.match(/^http:\/\/127\.0\.0\.1:\d+$/)
      const families = ['vram', 'stats', 'segments', 'system', 'cache', 'router', 'benchmark']
      expect(listeners).to.deep.equal([{url, families}])
      const segments = (await (await fetch(`${url}/segments`)).json()) as {ipc: string; percent: number}[]
      expect(segments.map(({ipc, percent}) => [ipc, percent])).to.deep.equal([['a', 75]])
      const health = (await (await fetch(`${url}/health`)).json()) as {status: string; version: string}
      const version = (await (await fetch(`${url}/api/v1/version`)).json()) as {version: string}
      expect([health.status, health.version]).to.deep.equal(['healthy', version.version])
      expect(await (await fetch(`${url}/docs`)).text()).to.contain('swagger-ui')
      const stream = await fetch(`${url}/segments/stream`)
      const reader = stream.body!.getReader()
      expect(Buffer.from((await reader.read()).value).toString()).to.match(/^data: \{"time":.*"ipc":"a"/)
      expect(await end(child, signal)).to.equal(0)
    })
  }

  it('drains: health says unavailable while a request is still answered', async () => {
    const {url, child} = await serve(['--drain-timeout', '20s'])
    const waiting = fetch(`${url}/segments/a`, {
      method: 'PUT',
      headers: {'content-type': 'application/json'},
      body: JSON.stringify({limit: '5G', wait: true}),
    })
    const limit = async (): Promise<number> =>
      ((await (await fetch(`${url}/segments/a`)).json()) as {limit_bytes: number}).limit_bytes
    while ((await limit()) !== Number(5n * GIB)) await new Promise(resolve => setTimeout(resolve, 5))
    const code = end(child, 'SIGTERM')
    let health = await fetch(`${url}/health`)
    while (health.status === 200) health = await fetch(`${url}/health`)
    expect([health.status, ((await health.json()) as {status: string}).status]).to.deep.equal([
      503,
      'unavailable',
    ])
    writeFileSync(join(folder(), 'shm', 'a'), recordBytes(5n * GIB, 4n * GIB), {flag: 'r+'})
    expect(await (await waiting).json()).to.include({outcome: 'applied'})
    expect(await code).to.equal(0)
  })

  it('opens families on ports of their own', async () => {
    const {listeners, url} = await serve(['--listen', 'segments=0'])
    expect(listeners.map(({families}) => families)).to.deep.equal([
      ['vram', 'stats', 'segments', 'system', 'cache', 'router', 'benchmark'],
      ['segments'],
    ])
    const own = listeners[1]!.url
    expect(own).to.not.equal(url)
    expect([(await fetch(`${own}/segments`)).status, (await fetch(`${own}/health`)).status]).to.deep.equal([
      200, 404,
    ])
  })

  it('serves the families of --api alone', async () => {
    const {url, listeners} = await serve(['--api', 'system'])
    expect(listeners[0]!.families).to.deep.equal(['system'])
    expect((await fetch(`${url}/segments`)).status).to.equal(404)
  })

  for (const name of ['KVCTL_TOKEN', 'KVMINI_TOKEN']) {
    it(`${name}: the token that serve asks for`, async () => {
      const {url} = await serve([], {[name]: 'secret'})
      const status = async (token: string): Promise<number> =>
        (await fetch(`${url}/segments`, {headers: {authorization: `Bearer ${token}`}})).status
      expect([await status('wrong'), await status('secret')]).to.deep.equal([401, 200])
      expect((await fetch(`${url}/health`)).status).to.equal(200)
    })
  }

  it('lets --token win over the environment, and KVCTL_TOKEN over KVMINI_TOKEN', async () => {
    const status = async (url: string, token: string): Promise<number> =>
      (await fetch(`${url}/segments`, {headers: {authorization: `Bearer ${token}`}})).status
    const flag = await serve(['--token', 'own'], {KVCTL_TOKEN: 'one', KVMINI_TOKEN: 'two'})
    expect([await status(flag.url, 'own'), await status(flag.url, 'one')]).to.deep.equal([200, 401])
    const both = await serve([], {KVCTL_TOKEN: 'one', KVMINI_TOKEN: 'two'})
    expect([await status(both.url, 'one'), await status(both.url, 'two')]).to.deep.equal([200, 401])
  })

  it('refuses a port in use with 4, also that of --listen, and leaves', async () => {
    const holder = createServer().listen(0, '127.0.0.1')
    await once(holder, 'listening')
    const {port} = holder.address() as AddressInfo
    for (const args of [
      ['--port', String(port)],
      ['--port', '0', '--listen', `system=${port}`],
    ]) {
      const result = await runCli(['serve', ...args, '--json'], {env: environment({})})
      expect(result.code).to.equal(4)
      expect(JSON.parse(result.stdout)).to.have.nested.property('error.code', 'PORT_IN_USE')
    }
    holder.close()
  })

  const mistakes: [string, string[], string, RegExp][] = [
    ['an unknown family', ['--api', 'segments,none'], 'FAMILY_UNKNOWN', /segments, system/],
    ['an unknown family with a port', ['--listen', 'none=1'], 'FAMILY_UNKNOWN', /segments, system/],
    [
      'a port for a family that is left out',
      ['--api', 'system', '--listen', 'segments=1'],
      'USAGE',
      /segments/,
    ],
    ['a listener without a port', ['--listen', 'system'], 'USAGE', /FAMILY=PORT/],
    ['a port that is none', ['--listen', 'system=65536'], 'USAGE', /65536/],
    ['other machines without a token', ['--host', '0.0.0.0'], 'AUTH_REQUIRED', /KVCTL_TOKEN/],
    ['an origin that is none', ['--cors-origin', 'page.test/path'], 'USAGE', /page\.test/],
    ['an empty token', ['--token', ''], 'USAGE', /--token/],
  ]
  for (const [what, args, code, names] of mistakes) {
    it(`refuses ${what} with 2 and ${code}`, async () => {
      const {code: status, stdout} = await runCli(['serve', '--port', '0', '--json', ...args], {
        env: environment({}),
      })
      expect(status).to.equal(2)
      expect(JSON.parse(stdout)).to.have.nested.property('error.code', code)
      expect(stdout).to.match(names)
    })
  }

  describeWith(['promtool'], 'for promtool', () => {
    it('shows metrics without a complaint', async () => {
      // It objects to the colon in LMCache's own names.
      const {url} = await serve(['--api', 'segments,system'])
      await fetch(`${url}/segments`)
      const page = await (await fetch(`${url}/metrics`)).text()
      expect(await checkMetrics(page)).to.deep.equal({status: 0, complaints: []})
      expect(page).to.match(/^kvctl_segment_used_bytes\{segment="a"\} 6442450944$/m)
      expect(page).to.match(/^kvctl_http_requests_total\{method="GET",route="\/segments",status="200"\} 1$/m)
    })
  })

  describeWith(['prometheus'], 'for Prometheus', () => {
    it('is scraped, with its token', async () => {
      const {url} = await serve([], {KVCTL_TOKEN: 'secret'})
      const prometheus = await startPrometheus(folder(), url, 'secret')
      started.push(prometheus.child)
      const value = await prometheus.valueOf('kvctl_segment_limit_bytes{segment="a"}')
      expect(value).to.equal(String(8n * GIB))
      await end(prometheus.child, 'SIGTERM')
    })
  })
})
