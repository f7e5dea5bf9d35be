import {once} from 'node:events'
import {writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {expect} from 'chai'
import {endedAfterEach} from '../support/children.js'
import {startEngine} from '../support/engine-process.js'
import {startServe} from '../support/serve-process.js'
import {temporaryFolder} from '../support/temporary.js'

const CONVERSATIONS = 30
const TURNS = 5
const AT_ONCE = 10

/** Words of a conversation that no other one has; each block of text differs from the first word on. */
function said(conversation: number, turn: number): string {
  return Array.from({length: 40}, (_, word) => `c${conversation}t${turn}w${word}`).join(' ')
}

/** Plays conversations, each turn with everything that was said before, against one address. */
async function converse(url: string): Promise<void> {
  const one = async (conversation: number): Promise<void> => {
    // Every third one begins with the same instructions, as those of one application do.
    let prompt = `${'You are helpful, brief and always polite. '.repeat(12)}${conversation % 3}\n`
    for (let turn = 0; turn < TURNS; turn++) {
      prompt += `\nUser: ${said(conversation, turn)}\nAssistant:`
      const answer = await fetch(`${url}/v1/completions`, {
        method: 'POST',
        headers: {'content-type': 'application/json'},
        body: JSON.stringify({model: 'm', prompt, max_tokens: 8, ignore_eos: true}),
      })
      expect(answer.status).to.equal(200)
      prompt += ((await answer.json()) as {choices: {text: string}[]}).choices[0]!.text
    }
  }
  const waiting = Array.from({length: CONVERSATIONS}, (_, index) => index)
  const work = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) await one(next)
  }
  await Promise.all(Array.from({length: AT_ONCE}, work))
}

interface Served {
  readonly requests: number
  /** Tokens of prompts looked up in the prefix cache, and those found there. */
  readonly queried: number
  readonly hit: number
}

async function served(url: string): Promise<Served> {
  const page = await (await fetch(`${url}/metrics`)).text()
  const sum = (name: string): number =>
    page
      .split('\n')
      .filter(line => line.startsWith(`${name}{`))
      .reduce((total, line) => total + Number(line.split(' ').at(-1)), 0)
  return {
    requests: sum('vllm:request_success_total'),
    queried: sum('vllm:prefix_cache_queries_total'),
    hit: sum('vllm:prefix_cache_hits_total'),
  }
}

describe('three replicas behind kvctl serve', function () {
  this.timeout(120_000)
  const children = endedAfterEach()
  const folder = temporaryFolder()

  it('find in their caches what one engine alone would, and share the load evenly', async () => {
    const engine = async (): Promise<string> => {
      const options = ['--no-segment', '--ttft-ms', '1', '--itl-ms', '1', '--num-gpu-blocks-override', '8192']
      const one = await startEngine('--served-model-name', 'm', ...options)
      children.push(one.child)
      return one.url
    }
    const [alone, ...urls] = await Promise.all([engine(), engine(), engine(), engine()])
    const path = join(folder(), 'controller.yaml')
    const instances = urls.map(url => `  - {model: m, engine: kvctl, url: "${url}"}`)
    writeFileSync(path, `instances:\n${instances.join('\n')}\nmodels: {m: {routing: prefix}}\n`)
    const serve = await startServe('--config', path, '--api', 'router')
    children.push(serve.child)
    await converse(alone)
    await converse(serve.url)

    const one = await served(alone)
    const three = await Promise.all(urls.map(served))
    const sum = (figure: (one: Served) => number): number =>
      three.reduce((total, each) => total + figure(each), 0)
    expect([one.requests, sum(({requests}) => requests)]).to.deep.equal([
      ...[CONVERSATIONS * TURNS, CONVERSATIONS * TURNS],
    ])
    const ideal = one.hit / one.queried
    expect(ideal, 'what one engine finds').to.be.above(0.6)
    expect(sum(({hit}) => hit) / sum(({queried}) => queried) / ideal).to.be.at.least(0.9)
    const mean = (CONVERSATIONS * TURNS) / three.length
    for (const {requests} of three) expect(requests / mean).to.be.at.most(1.25)
    serve.child.kill('SIGTERM')
    await once(serve.child, 'close')
  })
})
