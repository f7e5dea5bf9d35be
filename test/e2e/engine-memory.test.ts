import type {ChildProcess} from 'node:child_process'
import {once} from 'node:events'
import {existsSync, readdirSync, readlinkSync, statSync} from 'node:fs'
import {createInterface} from 'node:readline'
import {expect} from 'chai'
import {runCli, startCli} from '../support/cli.js'

const MIB = 2 ** 20

interface Segment {
  readonly limit_bytes: number
  readonly used_bytes: number
  readonly prealloc_bytes: number
}

/** Bytes that the kernel really holds for the engine's KV pages. */
function memoryFileBytes(pid: number): number {
  const folder = `/proc/${pid}/fd`
  const file = readdirSync(folder).find(fd => readlinkSync(`${folder}/${fd}`).startsWith('/memfd:'))
  return statSync(`${folder}/${file!}`).blocks * 512
}

describe('the memory of a running engine', function () {
  this.timeout(120_000)
  const name = `kvctl_memory_${process.pid}`
  let child: ChildProcess
  let url: string
  let pid: number

  before(async () => {
    // 4,096 blocks of 64 KiB; --verify-kv reads every row of a request back for each of its tokens.
    const flags = ['--ipc-name', name, '--speedup', '4', '--verify-kv']
    child = startCli(['engine', '--port', '0', '--json', ...flags])
    const [line] = (await once(createInterface(child.stdout!), 'line')) as [string]
    ;({url, pid} = JSON.parse(line) as {url: string; pid: number})
  })

  after(async () => {
    child.kill('SIGTERM')
    await once(child, 'close')
    expect(existsSync(`/dev/shm/${name}`)).to.equal(false)
  })

  const segment = async (): Promise<Segment> => {
    const {stdout} = await runCli(['list', name, '--json'])
    return (JSON.parse(stdout) as Segment[])[0]!
  }
  const answer = async (prompt: string, maxTokens: number): Promise<string> => {
    const response = await fetch(`${url}/v1/completions`, {
      method: 'POST',
      headers: {'content-type': 'application/json'},
      body: JSON.stringify({prompt, max_tokens: maxTokens, ignore_eos: true}),
    })
    expect(response.status).to.equal(200)
    const {choices, usage} = (await response.json()) as {
      choices: {text: string}[]
      usage: {completion_tokens: number}
    }
    expect(usage.completion_tokens).to.equal(maxTokens)
    return choices[0]!.text
  }

  it('holds answers that are the same alone, among 64, and while the limit moves', async () => {
    const prompts = Array.from(
      {length: 64},
      (_, at) => `prompt ${at}: ${'some words to fill pages '.repeat(20)}`,
    )
    const alone = [await answer(prompts[0]!, 48), await answer(prompts[1]!, 48)]
    const crowd = Promise.all(prompts.map(prompt => answer(prompt, 48)))
    for (const size of ['24M', '12M', '48M', '16M'])
      expect((await runCli(['limit', name, size])).code).to.equal(0)
    expect((await runCli(['limit', name, '--restore'])).code).to.equal(0)
    expect((await crowd).slice(0, 2)).to.deep.equal(alone)
  })

  it('really shrinks to a lower limit under load, and no request fails', async () => {
    const limitBytes = 16 * MIB
    const streams = Array.from({length: 16}, (_, at) =>
      answer(`stream ${at} ${'of many words '.repeat(100)}`, 300),
    )
    while ((await segment()).used_bytes < 20 * MIB) await new Promise(resolve => setTimeout(resolve, 50))
    expect(memoryFileBytes(pid)).to.be.greaterThan(limitBytes)
    const change = await runCli(['limit', name, '16M', '--wait', '--timeout', '20', '--json'])
    expect(change.code, change.stdout).to.equal(0)
    expect(JSON.parse(change.stdout)).to.include({limit_bytes: limitBytes, outcome: 'applied'})
    const {used_bytes, prealloc_bytes} = await segment()
    expect(used_bytes + prealloc_bytes).to.be.at.most(limitBytes)
    expect(memoryFileBytes(pid)).to.be.at.most(limitBytes)
    expect((await runCli(['limit', name, '--restore'])).code).to.equal(0)
    await Promise.all(streams)
  })

  it('is told in the words of kvcached on the page of metrics', async () => {
    const page = await (await fetch(`${url}/metrics`)).text()
    const figure = (key: string): number =>
      Number(
        new RegExp(`^kvcached_pool_${key}{pool_name="block_pool",group_id="0"} (.*)$`, 'm').exec(page)![1],
      )
    const bundle = figure('page_size_bytes') * figure('num_layers') * figure('num_kv_buffers')
    expect(bundle).to.equal(4 * MIB)
    expect(figure('mapped_bytes')).to.equal(figure('inuse_pages') * bundle)
    expect(figure('inuse_pages') + figure('free_pages')).to.equal(figure('total_pages'))
    expect(figure('allocated_blocks')).to.be.at.least(1)
    expect(figure('in_shrink')).to.equal(0)
    expect((figure('inuse_pages') + figure('reserved_pages')) * bundle).to.equal(memoryFileBytes(pid))
  })

  it('goes back to the machine while the engine sleeps, and requests wait until it wakes', async () => {
    const post = async (path: string): Promise<number> => (await fetch(url + path, {method: 'POST'})).status
    const before = await answer('what was said before', 20)
    expect(memoryFileBytes(pid)).to.be.greaterThan(0)
    // As kvcached's controller sends it: the level in a body that vLLM does not read.
    const {status} = await fetch(`${url}/sleep?level=2&mode=keep`, {
      method: 'POST',
      headers: {'content-type': 'application/json'},
      body: '{"level": "2"}',
    })
    expect(status).to.equal(200)
    expect(memoryFileBytes(pid)).to.equal(0)
    expect(await (await fetch(`${url}/is_sleeping`)).json()).to.deep.equal({is_sleeping: true})
    expect(await (await fetch(`${url}/metrics`)).text()).to.match(/sleep_state="discard_all".*} 1\n/)
    const waiting = answer('what was said before', 20)
    const first = await Promise.race([waiting, new Promise(resolve => setTimeout(resolve, 200, 'nothing'))])
    expect(first).to.equal('nothing')
    expect(await post('/wake_up?tags=weights')).to.equal(200)
    expect(memoryFileBytes(pid)).to.equal(0)
    expect(await post('/wake_up?tags=kv_cache&tags=kv_cache')).to.equal(200)
    expect(await waiting).to.equal(before)
    expect(memoryFileBytes(pid)).to.be.greaterThan(0)
    expect(await post('/sleep?level=3')).to.equal(400)
    expect(await post('/wake_up?tags=everything')).to.equal(400)
  })

  it('stays where it is while the engine is paused', async () => {
    const ask = async (path: string, method = 'POST'): Promise<unknown> =>
      (await fetch(url + path, {method})).json()
    const bytes = memoryFileBytes(pid)
    expect(await ask('/pause?mode=keep&clear_cache=false')).to.deep.equal({status: 'paused'})
    expect(await ask('/is_paused', 'GET')).to.deep.equal({is_paused: true})
    expect(memoryFileBytes(pid)).to.equal(bytes)
    const waiting = answer('after the pause', 4)
    expect(await ask('/resume')).to.deep.equal({status: 'resumed'})
    await waiting
  })
})
