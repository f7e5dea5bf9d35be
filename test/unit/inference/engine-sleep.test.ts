import {expect} from 'chai'
import {NetworkError} from '../../../src/lib/foundation/index.js'
import {createHttpClient, type HttpAnswer, type HttpClient} from '../../../src/lib/http/index.js'
import {
  isEngineSleeping,
  sleepEngine,
  wakeEngine,
  type SleepyEngine,
} from '../../../src/lib/inference/index.js'
import {standInEngine, type StandInEngine} from '../../support/stand-in-engine.js'

/** Answers 200 and writes down what it was asked for how long. */
function recordingClient(): {http: HttpClient; asked: string[]} {
  const asked: string[] = []
  const record = (method: string, url: string, body: unknown, timeoutMs?: number): HttpAnswer => {
    const path = url.replace('http://engine', '')
    asked.push(`${method} ${path} ${body === undefined ? '-' : JSON.stringify(body)} ${timeoutMs! / 1000} s`)
    return {url, status: 200, contentType: 'application/json', headers: {}, text: '{"is_sleeping":true}'}
  }
  return {
    asked,
    http: {
      get: async (url, options) => record('GET', url, undefined, options?.timeoutMs),
      post: async (url, body, options) => record('POST', url, body, options?.timeoutMs),
      send: async (method, url, body, options) => record(method, url, body ?? undefined, options?.timeoutMs),
      close: async () => {},
    },
  }
}

const engine = (override: Partial<SleepyEngine>): SleepyEngine => ({
  ...{kind: 'vllm', url: 'http://engine', model: 'org/m', apiKey: null, level: 1},
  ...override,
})

describe('the sleep of engines', () => {
  const cases: [string, Partial<SleepyEngine>, string[], string[]][] = [
    ['vLLM, level 1', {}, ['POST /sleep?level=1 {"level":"1"} 30 s'], ['POST /wake_up - 30 s']],
    [
      'vLLM, level 2, whose weights are loaded again before the KV cache is there',
      {level: 2},
      ['POST /sleep?level=2 {"level":"2"} 30 s'],
      [
        'POST /wake_up?tags=weights - 30 s',
        'POST /collective_rpc {"method":"reload_weights"} 120 s',
        'POST /wake_up?tags=kv_cache - 30 s',
      ],
    ],
    [
      'SGLang',
      {kind: 'sglang'},
      ['POST /release_memory_occupation {} 60 s'],
      [
        'POST /resume_memory_occupation {} 60 s',
        'POST /update_weights_from_disk {"model_path":"org/m"} 120 s',
      ],
    ],
  ]
  for (const [what, override, sleep, wake] of cases) {
    it(`calls ${what}, in this order with these limits`, async () => {
      const {http, asked} = recordingClient()
      await sleepEngine(http, engine(override))
      expect(asked.splice(0)).to.deep.equal(sleep)
      await wakeEngine(http, engine(override))
      expect(asked).to.deep.equal(wake)
    })
  }

  it('asks vLLM for 10 s whether it sleeps, and SGLang not at all', async () => {
    const {http, asked} = recordingClient()
    expect(await isEngineSleeping(http, engine({}))).to.equal(true)
    expect(await isEngineSleeping(http, engine({kind: 'sglang'}))).to.equal(null)
    expect(asked).to.deep.equal(['GET /is_sleeping - 10 s'])
  })

  describe('over a socket', () => {
    let real: StandInEngine
    let http: HttpClient
    beforeEach(async () => {
      real = await standInEngine('vllm')
      http = createHttpClient()
    })
    afterEach(async () => {
      await http.close()
      await real.close()
    })

    it('sends the key, JSON only where there is some, and believes nothing but 200', async () => {
      const one = engine({url: real.url, apiKey: 'secret'})
      await sleepEngine(http, one)
      await wakeEngine(http, one)
      const [sleep, wake] = real.calls
      expect([sleep!.headers.authorization, wake!.headers.authorization]).to.deep.equal([
        'Bearer secret',
        'Bearer secret',
      ])
      expect([sleep!.headers['content-type'], sleep!.body]).to.deep.equal([
        'application/json',
        '{"level":"1"}',
      ])
      expect([wake!.headers['content-type'], wake!.body]).to.deep.equal([undefined, ''])
      real.on('/sleep', (_, response) => void response.writeHead(500).end('no memory'))
      const failure = await sleepEngine(http, one).catch((error: unknown) => error)
      expect(failure).to.be.instanceOf(NetworkError)
      expect((failure as Error).message).to.equal(`${real.url}/sleep?level=1 answered HTTP 500: no memory`)
    })

    it('tells what an engine without the routes was started without', async () => {
      real.on('/sleep', (_, response) => void response.writeHead(404).end())
      const failure = await sleepEngine(http, engine({url: real.url})).catch((error: unknown) => error)
      expect(failure).to.include({code: 'ENGINE_CANNOT_SLEEP'})
      expect((failure as {suggestions: string[]}).suggestions[0]).to.match(/VLLM_SERVER_DEV_MODE=1/)
      real.on('/is_sleeping', (_, response) => void response.writeHead(404).end())
      expect(await isEngineSleeping(http, engine({url: real.url}))).to.equal(null)
    })
  })
})
