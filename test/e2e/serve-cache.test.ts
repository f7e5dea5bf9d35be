import type {ChildProcess} from 'node:child_process'
import {once} from 'node:events'
import {existsSync, mkdirSync, readdirSync, writeFileSync} from 'node:fs'
import {request} from 'node:http'
import {join} from 'node:path'
import {createInterface} from 'node:readline'
import {expect} from 'chai'
import {endedAfterEach} from '../support/children.js'
import {startCli} from '../support/cli.js'
import {eventually} from '../support/cache-worker.js'
import {temporaryFolder} from '../support/temporary.js'

interface Listening {
  readonly url: string
  readonly listeners: readonly {readonly url: string; readonly families: readonly string[]}[]
  readonly child: ChildProcess
}

describe('kvctl serve with the cache family', function () {
  this.timeout(60_000)
  const started = endedAfterEach()
  const folder = temporaryFolder()
  const serve = async (args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Listening> => {
    mkdirSync(join(folder(), 'shm'), {recursive: true})
    const child = startCli(['serve', '--port', '0', '--json', ...args], {
      env: {KVCTL_SHM_DIR: join(folder(), 'shm'), KVCTL_STATE_DIR: join(folder(), 'state'), ...env},
      cwd: folder(),
    })
    started.push(child)
    const [line] = (await once(createInterface(child.stdout!), 'line')) as [string]
    return {...(JSON.parse(line) as Listening), child}
  }
  const ask = async (method: string, url: string): Promise<Record<string, unknown>> =>
    (await (await fetch(url, {method})).json()) as Record<string, unknown>
  const disk = (): NodeJS.ProcessEnv => ({
    LMCACHE_LOCAL_DISK: join(folder(), 'disk'),
    LMCACHE_MAX_LOCAL_DISK_SIZE: '1',
  })
  const check = async (url: string): Promise<unknown> =>
    (await ask('GET', `${url}/cache/kvcache/check?slot_mapping=[0,1023]&chunk_size=256`))['chunk_checksums']
  const figures = async (url: string): Promise<Record<string, unknown>> => {
    const {backends} = await ask('GET', `${url}/backends/figures`)
    return (backends as Record<string, Record<string, unknown>>)['LocalDiskBackend']!
  }

  it('answers on a port of its own, and on a Unix socket', async () => {
    const socketPath = join(folder(), 'run', 'cache.sock')
    const {listeners} = await serve(['--listen', 'cache=0', '--cache-socket', socketPath])
    expect(listeners[0]!.families).to.include('cache')
    expect(listeners.slice(1).map(({families}) => families)).to.deep.equal([['cache'], ['cache']])
    expect(await ask('GET', `${listeners[1]!.url}/freeze/status`)).to.include({
      status: 'success',
      freeze: false,
    })
    expect(await (await fetch(`${listeners[1]!.url}/metrics`)).text()).to.contain(
      'lmcache:lmcache_is_healthy',
    )
    const call = request({socketPath, path: '/lmc_version', headers: {host: 'localhost'}}).end()
    const [response] = (await once(call, 'response')) as [{statusCode: number; resume(): void}]
    response.resume()
    expect(response.statusCode).to.equal(200)
  })

  it('LMCACHE_CONFIG_FILE and LMCACHE_ variables: settings of the cache worker', async () => {
    writeFileSync(join(folder(), 'lmcache.yaml'), 'chunk_size: 128\nmin_retrieve_tokens: 5\nno_such_key: 1\n')
    const env = {LMCACHE_CONFIG_FILE: join(folder(), 'lmcache.yaml'), LMCACHE_MIN_RETRIEVE_TOKENS: '7'}
    const {url} = await serve(['--api', 'cache'], env)
    const names = '/conf?names=chunk_size,min_retrieve_tokens,local_cpu'
    expect(await ask('GET', url + names)).to.deep.equal({
      chunk_size: 128,
      local_cpu: true,
      min_retrieve_tokens: 7,
    })
    writeFileSync(join(folder(), 'own.yaml'), 'chunk_size: 64\n')
    const own = await serve(['--api', 'cache', '--cache-config', join(folder(), 'own.yaml')], env)
    expect(await ask('GET', own.url + names)).to.include({chunk_size: 64})
  })

  it('stands in for the worker that its settings describe', async () => {
    writeFileSync(
      join(folder(), 'lmcache.yaml'),
      'extra_config:\n  kvctl: {model_name: org/m, world_size: 2, worker_id: 1, layers: 2, heads: 1, head_size: 8, slots: 64}\n',
    )
    const {url} = await serve(['--api', 'cache', '--cache-config', join(folder(), 'lmcache.yaml')])
    expect(await ask('GET', `${url}/meta`)).to.deep.include({
      ...{model_name: 'org/m', world_size: 2, worker_id: 1, kv_shape: [2, 2, 256, 1, 8]},
    })
  })

  it('reads below --allow-path alone', async () => {
    mkdirSync(join(folder(), 'elsewhere'))
    writeFileSync(
      join(folder(), 'elsewhere', 'a.yaml'),
      `remote_url: fs://h:1${join(folder(), 'elsewhere')}\n`,
    )
    mkdirSync(join(folder(), 'cwd'))
    const load = async (url: string): Promise<number> => {
      const body = JSON.stringify({config_path: join(folder(), 'elsewhere', 'a.yaml')})
      return (await fetch(`${url}/cache/load-fs-chunks`, {method: 'POST', body})).status
    }
    // The working directory of the other test processes is the folder, this one's is below it.
    const child = startCli(['serve', '--port', '0', '--json', '--api', 'cache'], {cwd: join(folder(), 'cwd')})
    started.push(child)
    const [line] = (await once(createInterface(child.stdout!), 'line')) as [string]
    expect(await load((JSON.parse(line) as Listening).url)).to.equal(400)
    const allowed = await serve(['--api', 'cache', '--allow-path', join(folder(), 'elsewhere')])
    expect(await load(allowed.url)).to.equal(200)
  })

  it('finds its disk tier again after a restart, byte for byte', async () => {
    const first = await serve(['--api', 'cache'], disk())
    const before = await check(first.url)
    await ask('POST', `${first.url}/cache/store?tokens_mock=0,1024`)
    first.child.kill('SIGTERM')
    // What was stored is written before the process ends.
    expect(await once(first.child, 'close')).to.deep.equal([0, null])
    const second = await serve(['--api', 'cache'], disk())
    expect(await ask('POST', `${second.url}/cache/retrieve?tokens_mock=0,1024`)).to.include({
      num_retrieved: 1024,
    })
    expect(await check(second.url)).to.deep.equal(before)
  })

  for (const [way, how] of [
    ['through the page cache', {}],
    ['past it', {LMCACHE_EXTRA_CONFIG: '{"use_odirect": true}'}],
  ] as const) {
    it(`killed while it writes ${way}: what was acknowledged is there, and nothing else than what was stored`, async () => {
      const first = await serve(['--api', 'cache'], {...disk(), ...how})
      await ask('POST', `${first.url}/cache/store?tokens_mock=0,1024`)
      await eventually(async () => (await figures(first.url))['pending_writes'] === 0)
      const acknowledged = (await figures(first.url))['chunks']
      expect(acknowledged).to.equal(4)
      // 64 chunks are on their way when it is killed.
      await Promise.all(
        Array.from({length: 4}, async (_, index) =>
          ask(
            'POST',
            `${first.url}/cache/store?tokens_mock=${10_000 * (index + 1)},${10_000 * (index + 1) + 4096}`,
          ),
        ),
      )
      first.child.kill('SIGKILL')
      await once(first.child, 'close')
      const second = await serve(['--api', 'cache'], {...disk(), ...how})
      const clean = await check(second.url)
      for (let start = 0; start <= 40_000; start += 10_000) {
        const count = start === 0 ? 1024 : 4096
        const path = `${second.url}/cache/retrieve?tokens_mock=${start},${start + count}`
        const {num_retrieved: retrieved} = (await ask('POST', path)) as {num_retrieved: number}
        if (start === 0) expect(retrieved).to.equal(1024)
        else expect(retrieved % 256).to.equal(0)
        // Every store took the same buffer, so whatever comes back must leave it as it was.
        expect(await check(second.url)).to.deep.equal(clean)
      }
      expect((await figures(second.url))['refused_reads']).to.equal(0)
      expect(readdirSync(join(folder(), 'disk')).filter(name => name.endsWith('.tmp'))).to.deep.equal([])
      expect(existsSync(join(folder(), 'disk', 'kvctl-journal-0.jsonl'))).to.equal(true)
    })
  }

  for (const [what, text, reason] of [
    ['a value of the wrong kind', 'chunk_size: many', /lmcache\.yaml:1: "many" is no value of chunk_size/],
    [
      'a value of the wrong kind in extra_config',
      'extra_config: {use_odirect: "yes"}',
      /lmcache\.yaml:1: "yes" is no value of use_odirect, which takes true or false/,
    ],
    ['a policy that is none', 'cache_policy: BEST', /one of LRU, LFU, FIFO, MRU/],
    [
      'a worker that cannot be',
      'extra_config: {kvctl: {slots: 7}}',
      /slots is 7; it takes a multiple of block_size/,
    ],
    [
      'a serializer that is not known',
      'remote_url: fs://a/tmp/x\nremote_serde: cachegen',
      /remote_serde 'cachegen'/,
    ],
    ['an address of nothing', 'remote_url: lm://a:1', /'lm:\/\/a:1' is no address of Redis or Valkey/],
  ] as const) {
    it(`refuses settings with ${what}, with 2 and one line`, async () => {
      writeFileSync(join(folder(), 'lmcache.yaml'), text)
      const child = startCli(['serve', '--port', '0', '--cache-config', join(folder(), 'lmcache.yaml')])
      let stderr = ''
      child.stderr!.setEncoding('utf8').on('data', (chunk: string) => (stderr += chunk))
      child.stdin!.end()
      expect(await once(child, 'close')).to.deep.equal([2, null])
      expect(stderr).to.match(reason)
      expect(stderr).to.not.contain('    at ')
    })
  }
})
