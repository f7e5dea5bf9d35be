import type {ChildProcess} from 'node:child_process'
import {once} from 'node:events'
import {mkdirSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {createInterface} from 'node:readline'
import {expect} from 'chai'
import {eventually} from '../support/cache-worker.js'
import {endedAfterEach} from '../support/children.js'
import {runCli, startCli} from '../support/cli.js'
import {temporaryFolder} from '../support/temporary.js'

interface Running {
  readonly url: string
  readonly cache_url?: string
  readonly child: ChildProcess
}

interface Completion {
  readonly text: string
  readonly promptTokens: number
  readonly cachedTokens: number
}

describe('kvctl engine with tiers', function () {
  this.timeout(60_000)
  const started = endedAfterEach()
  const folder = temporaryFolder()
  const prompt = Array.from({length: 150}, (_, index) => `word${index % 7}`).join(' ')

  const startEngine = async (...args: string[]): Promise<Running> => {
    mkdirSync(join(folder(), 'shm'), {recursive: true})
    const usual = ['--port', '0', '--json', '--no-segment', '--itl-ms', '0', '--verify-kv']
    const child = startCli(['engine', ...usual, '--enable-prompt-tokens-details', ...args], {
      cwd: folder(),
      env: {KVCTL_SHM_DIR: join(folder(), 'shm'), KVCTL_STATE_DIR: join(folder(), 'state')},
    })
    started.push(child)
    const [line] = (await once(createInterface(child.stdout!), 'line')) as [string]
    return {...(JSON.parse(line) as Running), child}
  }
  /** Tiers with chunks of 64 tokens, which need not be 256 as long as they are whole blocks. */
  const withTiers = (settings: string): string[] => {
    writeFileSync(join(folder(), 'lmcache.yaml'), `chunk_size: 64\n${settings}\n`)
    return ['--cache-config', join(folder(), 'lmcache.yaml'), '--cache-port', '0']
  }
  const onDisk = (): string[] =>
    withTiers(`local_cpu: false\nlocal_disk: ${join(folder(), 'disk')}\nmax_local_disk_size: 1`)
  const complete = async ({url}: Running, text = prompt, more: object = {}): Promise<Completion> => {
    const response = await fetch(`${url}/v1/completions`, {
      method: 'POST',
      headers: {'content-type': 'application/json'},
      body: JSON.stringify({prompt: text, max_tokens: 30, ignore_eos: true, ...more}),
    })
    const {choices, usage} = (await response.json()) as {
      choices: {text: string}[]
      usage: {prompt_tokens: number; prompt_tokens_details: {cached_tokens: number} | null}
    }
    return {
      text: choices[0]!.text,
      promptTokens: usage.prompt_tokens,
      cachedTokens: usage.prompt_tokens_details?.cached_tokens ?? 0,
    }
  }
  const stop = async ({child}: Running): Promise<void> => {
    child.kill('SIGTERM')
    await once(child, 'close')
  }

  it('restarted with only its disk tier computes the stored prefix no more, and says the same', async () => {
    const plain = await startEngine()
    const expected = await complete(plain)
    await stop(plain)
    const first = await startEngine(...onDisk())
    expect(await complete(first)).to.deep.equal({...expected, cachedTokens: 0})
    await stop(first)
    const second = await startEngine(...onDisk())
    const again = await complete(second)
    expect(again.text).to.equal(expected.text)
    // What was computed is the prompt without its whole chunks of 64.
    expect(again.promptTokens).to.be.greaterThan(2 * 64)
    expect(again.cachedTokens).to.equal(Math.floor(again.promptTokens / 64) * 64)
    const other = await complete(second, `${prompt} and more`)
    await stop(second)
    const fresh = await startEngine()
    expect(other.text).to.equal((await complete(fresh, `${prompt} and more`)).text)
  })

  it('takes a prompt that its prefix cache lost from the CPU tier, many at once', async () => {
    const engine = await startEngine(...withTiers('local_cpu: true'))
    const expected = await complete(engine)
    const reset = async (): Promise<unknown> => fetch(`${engine.url}/reset_prefix_cache`, {method: 'POST'})
    await reset()
    const all = await Promise.all(Array.from({length: 8}, async () => complete(engine)))
    for (const {text} of all) expect(text).to.equal(expected.text)
    expect(all.every(({cachedTokens}) => cachedTokens >= 64)).to.equal(true)
  })

  it('shares nothing that has a salt', async () => {
    const engine = await startEngine(...onDisk())
    await complete(engine, prompt, {cache_salt: 'mine'})
    await stop(engine)
    const again = await startEngine(...onDisk())
    expect(await complete(again, prompt)).to.include({cachedTokens: 0})
  })

  it("answers LMCache's API on a port of its own, reading its pages and never writing them", async () => {
    const engine = await startEngine(...withTiers('local_cpu: true'))
    const expected = await complete(engine)
    const ask = async (method: string, path: string): Promise<Record<string, unknown>> =>
      (await (await fetch(engine.cache_url! + path, {method})).json()) as Record<string, unknown>
    const {layers} = await ask('GET', '/cache/kvcache/info')
    expect((layers as Record<string, {shape: number[]}>)['layer_0']!.shape.slice(2)).to.deep.equal([
      16, 8, 128,
    ])
    const check = '/cache/kvcache/check?slot_mapping=[16,79]&chunk_size=64'
    const {chunk_checksums: before} = await ask('GET', check)
    expect(before).to.have.length(1)
    await ask('POST', '/cache/store?tokens_mock=0,64')
    const refused = await fetch(`${engine.cache_url!}/cache/retrieve?tokens_mock=0,64`, {method: 'POST'})
    expect(refused.status).to.equal(409)
    const why =
      'the pages belong to a running engine, which loads stored prefixes itself: send it the prompt, or retrieve with a kvctl serve that has the same cache settings'
    expect(await refused.json()).to.deep.equal({error: 'Failed to retrieve cache', message: why})
    const {code, stderr} = await runCli(['cache', 'retrieve', '0', '64', '--url', engine.cache_url!])
    expect(code).to.equal(4)
    expect(stderr.replaceAll(/\s+/g, ' ')).to.contain(`Failed to retrieve cache: ${why}`)
    expect((await ask('GET', check))['chunk_checksums']).to.deep.equal(before)
    expect((await complete(engine)).text).to.equal(expected.text)
    const page = await (await fetch(`${engine.cache_url!}/metrics`)).text()
    expect(page).to.match(/^lmcache:num_stored_tokens_total\{.*\} \d{3,}$/m)
  })

  it('answers although its remote tier is away', async () => {
    const engine = await startEngine(
      ...withTiers('remote_url: redis://127.0.0.1:1\nblocking_timeout_secs: 1'),
    )
    const {text} = await complete(engine)
    expect((await complete(engine)).text).to.equal(text)
    await eventually(async () => {
      const page = await (await fetch(`${engine.cache_url!}/metrics`)).text()
      return /^lmcache:lmcache_is_healthy\{.*\} 0$/m.test(page)
    })
  })

  it('refuses chunks that are no whole blocks, with 2', async () => {
    writeFileSync(join(folder(), 'odd.yaml'), 'chunk_size: 24\n')
    const child = startCli([
      'engine',
      '--port',
      '0',
      '--no-segment',
      '--cache-config',
      join(folder(), 'odd.yaml'),
    ])
    let stderr = ''
    child.stderr!.setEncoding('utf8').on('data', (chunk: string) => (stderr += chunk))
    child.stdin!.end()
    expect(await once(child, 'close')).to.deep.equal([2, null])
    expect(stderr).to.match(/^Error: chunk_size is 24, no multiple of the engine's blocks of 16 tokens\n/)
  })
})
