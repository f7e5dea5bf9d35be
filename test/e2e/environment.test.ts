import {spawn, type ChildProcess} from 'node:child_process'
import {once} from 'node:events'
import {existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync} from 'node:fs'
import {createServer, type AddressInfo} from 'node:net'
import {join} from 'node:path'
import {createInterface} from 'node:readline'
import {expect} from 'chai'
import {repositoryRoot, runCli, startCli, type CliResult} from '../support/cli.js'
import {cudaStandIn} from '../support/cuda/stand-in.js'
import {describeWith} from '../support/requires.js'
import {writeRunFixture} from '../support/run-fixture.js'
import {GIB, recordBytes} from '../support/segments.js'
import {temporaryFolder} from '../support/temporary.js'
import {startTruthServer} from '../support/truth.js'

const MIB = 2 ** 20
const ESCAPE = '\u001B['

describe('environment variables', function () {
  this.timeout(60_000)
  const folder = temporaryFolder()
  const shm = (): string => join(folder(), 'shm')
  const state = (): string => join(folder(), 'state')
  const kvctl = async (env: NodeJS.ProcessEnv, ...args: string[]): Promise<CliResult> =>
    runCli(args, {cwd: folder(), env: {KVCTL_SHM_DIR: shm(), KVCTL_STATE_DIR: state(), ...env}})

  beforeEach(() => {
    mkdirSync(shm())
    writeFileSync(join(shm(), 'a'), recordBytes(8n * GIB, 7n * GIB))
  })

  it('KVCTL_SHM_DIR: where segments are', async () => {
    expect((await kvctl({}, 'list')).stdout).to.match(/^a /m)
    const elsewhere = await kvctl({KVCTL_SHM_DIR: join(folder(), 'none')}, 'list')
    expect(elsewhere).to.include({code: 0, stdout: 'No active KVCached segments found.\n'})
  })

  it('KVCTL_STATE_DIR: where start-up totals are remembered', async () => {
    await kvctl({}, 'list')
    expect(readFileSync(join(state(), 'segments', 'a.json'), 'utf8')).to.contain(String(8n * GIB))
  })

  it('XDG_STATE_HOME: the same, without KVCTL_STATE_DIR', async () => {
    await kvctl({KVCTL_STATE_DIR: '', XDG_STATE_HOME: folder()}, 'list')
    expect(existsSync(join(folder(), 'kvctl', 'segments', 'a.json'))).to.equal(true)
  })

  describe('of logging', () => {
    // That nothing can be remembered below /proc is told at debug level only.
    const list = async (env: NodeJS.ProcessEnv): Promise<string> =>
      (await kvctl({KVCTL_STATE_DIR: '/proc/kvctl', ...env}, 'list')).stderr

    for (const name of ['KVCTL_LOG_LEVEL', 'LOG_LEVEL', 'KVCACHED_LOG_LEVEL']) {
      it(`${name}: what is told on stderr`, async () => {
        expect(await list({[name]: 'INFO'})).to.equal('')
        expect(await list({[name]: 'DEBUG'})).to.match(
          /^\[kvctl\]\[DEBUG\]\[[-\d]+ [:\d]+\] cannot remember .*\n$/,
        )
      })
    }

    it('LOG_LEVEL: DEBUG, INFO, WARN and ERROR, in the order KVCTL_, plain, KVCACHED_', async () => {
      expect(await list({KVCTL_LOG_LEVEL: 'ERROR', LOG_LEVEL: 'DEBUG'})).to.equal('')
      expect(await list({LOG_LEVEL: 'WARN', KVCACHED_LOG_LEVEL: 'DEBUG'})).to.equal('')
      expect(await list({KVCACHED_LOG_LEVEL: 'WARNING'})).to.equal('')
    })

    it('KVMINI_DEBUG: debug level, and a stack trace with each failure', async () => {
      expect(await list({KVMINI_DEBUG: 'true', LOG_LEVEL: 'ERROR'})).to.contain('[DEBUG]')
      expect(await list({KVMINI_DEBUG: 'false'})).to.equal('')
      const failure = (await kvctl({KVMINI_DEBUG: 'true'}, 'delete', 'b')).stderr
      expect(failure)
        .to.match(/^Error: IPC 'b' not found\.$/m)
        .and.match(/^ {4}at /m)
    })
  })

  describeWith(['script'], 'on a terminal', () => {
    const program = join(repositoryRoot, 'bin/run.js')
    /** What a terminal of 80 columns gets, both streams. */
    const onTerminal = async (env: NodeJS.ProcessEnv, ...args: string[]): Promise<string> => {
      const child = spawn(
        'script',
        ['-qec', [process.execPath, program, ...args].join(' '), join(folder(), 'typescript')],
        {
          env: {
            ...process.env,
            NO_COLOR: undefined,
            FORCE_COLOR: undefined,
            TERM: 'xterm',
            KVCTL_SHM_DIR: shm(),
            KVCTL_STATE_DIR: '/proc/kvctl',
            ...env,
          },
          stdio: ['ignore', 'pipe', 'inherit'],
        },
      )
      let text = ''
      child.stdout.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
      await once(child, 'close')
      return text
    }

    it('NO_COLOR: no colour, even when it is empty', async () => {
      // 7 of 8 GiB are more than 80 %: red.
      expect(await onTerminal({}, 'list')).to.contain(`${ESCAPE}31ma `)
      for (const value of ['1', ''])
        expect(await onTerminal({NO_COLOR: value, LOG_LEVEL: 'DEBUG'}, 'list')).to.not.contain(ESCAPE)
    })

    it('KVCACHED_LOG_COLOR: colour in front of log lines', async () => {
      const head = `${ESCAPE}36m[kvctl][DEBUG]`
      expect(await onTerminal({LOG_LEVEL: 'DEBUG'}, 'list')).to.contain(head)
      expect(await onTerminal({LOG_LEVEL: 'DEBUG', KVCACHED_LOG_COLOR: 'True'}, 'list')).to.contain(head)
      const plain = await onTerminal({LOG_LEVEL: 'DEBUG', KVCACHED_LOG_COLOR: 'false'}, 'list')
      expect(plain).to.not.contain(head)
      expect(plain).to.contain('[kvctl][DEBUG]')
    })
  })

  describe('of bench, analyze and report', () => {
    it('KVMINI_OUTPUT_DIR: where runs are made and looked for', async () => {
      const server = await startTruthServer({ttftMs: 1, gapMs: 1, tokens: 2})
      const env = {KVMINI_OUTPUT_DIR: join(folder(), 'mine')}
      try {
        const args = ['--url', server.url, '--requests', '2', '--warmup', '0', '--json']
        const {stdout} = await kvctl(env, 'bench', ...args)
        const {run_dir: made} = JSON.parse(stdout) as {run_dir: string}
        expect(made).to.match(new RegExp(`^${folder()}/mine/\\d{4}-\\d\\d-\\d\\d_\\d\\d-\\d\\d-\\d\\d$`))
        expect((await kvctl(env, 'analyze')).stdout).to.contain(`${made}/results.json`)
        expect((await kvctl(env, 'report')).stdout).to.equal(`${made}/report.html\n`)
      } finally {
        await server.stop()
      }
    })

    it('KVMINI_OUTPUT_DIR: runs where it is not set or empty', async () => {
      const {path} = await writeRunFixture(join(folder(), 'runs', 'one'), {
        ...{requests: 5, warmupRequests: 0, concurrency: 1, tokens: 2, model: 'toy', failure: ''},
      })
      symlinkSync('one', join(folder(), 'runs', 'latest'))
      for (const env of [{}, {KVMINI_OUTPUT_DIR: ''}])
        expect((await kvctl(env, 'report')).stdout).to.equal(`${path}/report.html\n`)
    })

    it('KVMINI_NAMESPACE: the namespace of --service', async () => {
      const server = await startTruthServer({ttftMs: 1, gapMs: 1, tokens: 2})
      const namespaceOf = async (env: NodeJS.ProcessEnv, ...more: string[]): Promise<unknown> => {
        const args = ['--url', server.url, '--requests', '1', '--warmup', '0', '--json', ...more]
        const {stdout} = await kvctl(env, 'bench', ...args)
        return (JSON.parse(stdout) as {metadata: {namespace: unknown}}).metadata.namespace
      }
      try {
        expect(await namespaceOf({})).to.equal('default')
        expect(await namespaceOf({KVMINI_NAMESPACE: 'ml-prod'})).to.equal('ml-prod')
        expect(await namespaceOf({KVMINI_NAMESPACE: 'ml-prod'}, '--namespace', 'own')).to.equal('own')
      } finally {
        await server.stop()
      }
    })

    /** The head of the first request that `bench` sends. */
    const firstHead = async (env: NodeJS.ProcessEnv, ...more: string[]): Promise<string> => {
      const server = createServer().listen(0, '127.0.0.1')
      await once(server, 'listening')
      const {port} = server.address() as AddressInfo
      const head = new Promise<string>(resolve => {
        server.on('connection', socket => {
          socket.once('data', data => {
            resolve(data.toString())
            socket.end('HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\nconnection: close\r\n\r\n')
          })
        })
      })
      const keys = {KVCTL_API_KEY: '', KVMINI_API_KEY: '', OPENAI_API_KEY: ''}
      await kvctl({...keys, ...env}, 'bench', '--url', `http://127.0.0.1:${port}`, ...more)
      server.close()
      return head
    }

    for (const name of ['KVCTL_API_KEY', 'KVMINI_API_KEY', 'OPENAI_API_KEY']) {
      it(`${name}: the bearer token of bench`, async () => {
        expect(await firstHead({})).to.not.match(/^authorization:/im)
        expect(await firstHead({[name]: 'secret'})).to.match(/^authorization: Bearer secret\r$/im)
        expect(await firstHead({[name]: 'secret'}, '--api-key', 'own')).to.match(
          /^authorization: Bearer own\r$/im,
        )
      })
    }
  })

  describe('of the engine', () => {
    const started: ChildProcess[] = []
    const startEngine = async (
      env: NodeJS.ProcessEnv,
      ...args: string[]
    ): Promise<{url: string; pid: number; segment: string}> => {
      const child = startCli(['engine', '--port', '0', '--json', '--itl-ms', '0', ...args], {
        cwd: folder(),
        env: {KVCTL_SHM_DIR: shm(), KVCTL_STATE_DIR: state(), ...env},
      })
      started.push(child)
      const [line] = (await once(createInterface(child.stdout!), 'line')) as [string]
      return JSON.parse(line) as {url: string; pid: number; segment: string}
    }
    /** Bytes kept mapped and idle, once they are what they should be or a second has gone by. */
    const preallocated = async (segment: string, expected: number): Promise<number> => {
      for (let look = 0; ; look++) {
        const bytes = Number(readFileSync(join(shm(), segment)).readBigInt64LE(16))
        if (bytes === expected || look === 100) return bytes
        await new Promise(resolve => setTimeout(resolve, 10))
      }
    }
    const complete = async (url: string, prompt: string): Promise<void> => {
      const response = await fetch(`${url}/v1/completions`, {
        method: 'POST',
        headers: {'content-type': 'application/json'},
        body: JSON.stringify({prompt, max_tokens: 1}),
      })
      expect(response.status).to.equal(200)
    }

    afterEach(async () => {
      for (const child of started.splice(0)) {
        child.kill('SIGTERM')
        await once(child, 'close')
      }
    })

    it('KVCACHED_IPC_NAME: the name of its segment, with - for what a name must not hold', async () => {
      const {segment} = await startEngine({KVCACHED_IPC_NAME: 'my model/é:1'})
      expect(segment).to.equal('my-model-é-1')
      expect(existsSync(join(shm(), segment))).to.equal(true)
    })

    // One page id is a page of K and a page of V.
    it('KVCACHED_MIN_RESERVED_PAGES: pages mapped ahead of need, 5 unless set', async () => {
      const usual = await startEngine({KVCACHED_IPC_NAME: 'usual'})
      await complete(usual.url, 'Hello')
      expect(await preallocated('usual', 5 * 2 * 2 * MIB)).to.equal(5 * 2 * 2 * MIB)
      const more = await startEngine({KVCACHED_IPC_NAME: 'more', KVCACHED_MIN_RESERVED_PAGES: '8'})
      await complete(more.url, 'Hello')
      expect(await preallocated('more', 8 * 2 * 2 * MIB)).to.equal(8 * 2 * 2 * MIB)
    })

    it('KVCACHED_PAGE_SIZE_MB: MiB of a page in one buffer', async () => {
      const {url, segment} = await startEngine({KVCACHED_PAGE_SIZE_MB: '4', KVCACHED_MIN_RESERVED_PAGES: '3'})
      await complete(url, 'Hello')
      expect(await preallocated(segment, 3 * 2 * 4 * MIB)).to.equal(3 * 2 * 4 * MIB)
    })

    it('KVCACHED_PAGE_PREALLOC_ENABLED: false maps nothing ahead, and limits still count', async () => {
      const env = {KVCACHED_PAGE_PREALLOC_ENABLED: 'false', KVCACHED_MIN_RESERVED_PAGES: '8'}
      const {url, segment} = await startEngine(env)
      await kvctl({}, 'limit', segment, '64M')
      await complete(url, 'Hello again')
      expect(await kvctl({}, 'limit', segment, '32M', '--wait')).to.include({code: 0, stderr: 'applied\n'})
      expect(await preallocated(segment, 0)).to.equal(0)
    })

    it('KVCACHED_MAX_RESERVED_PAGES: pages kept mapped after being freed', async () => {
      const keeping = await startEngine(
        {KVCACHED_MAX_RESERVED_PAGES: '6', KVCACHED_MIN_RESERVED_PAGES: '0'},
        '--no-enable-prefix-caching',
      )
      // 64 blocks of 16 tokens fill a page, so this needs 8 of them.
      await complete(keeping.url, 'word '.repeat(8 * 64 * 16))
      expect(await preallocated(keeping.segment, 6 * 2 * 2 * MIB)).to.equal(6 * 2 * 2 * MIB)
    })

    it('KVCACHED_MAX_CACHED_TOKENS: 0 keeps nothing of a finished answer', async () => {
      const prompt = 'word '.repeat(100)
      const cached = async (url: string): Promise<unknown> => {
        await complete(url, prompt)
        const response = await fetch(`${url}/kvctl/lookup`, {
          method: 'POST',
          headers: {'content-type': 'application/json'},
          body: JSON.stringify({prompt}),
        })
        return ((await response.json()) as {cached_tokens: number}).cached_tokens
      }
      const unbounded = await startEngine({KVCACHED_IPC_NAME: 'unbounded'})
      expect(await cached(unbounded.url)).to.be.greaterThan(0)
      const bounded = await startEngine({KVCACHED_IPC_NAME: 'bounded', KVCACHED_MAX_CACHED_TOKENS: '0'})
      expect(await cached(bounded.url)).to.equal(0)
    })

    describeWith(['gcc|cc'], 'on a GPU', () => {
      it('KVCTL_CUDA_PATH: the driver of --device cuda:N', async () => {
        const driver = cudaStandIn(folder(), {gpus: 2, context_bytes: 0})
        const env = {...driver.env, KVCACHED_IPC_NAME: 'gpu', KVCACHED_MIN_RESERVED_PAGES: '3'}
        const {url, pid} = await startEngine(env, '--device', 'cuda:1')
        await complete(url, 'Hello')
        expect(await preallocated('gpu', 3 * 2 * 2 * MIB)).to.equal(3 * 2 * 2 * MIB)
        // One page id in use, three ahead, and the page of zeros.
        expect(driver.counters(pid)!.deviceBytes.slice(0, 2)).to.deep.equal([0, 5 * 2 * 2 * MIB])
        const {code, stderr} = await kvctl({KVCTL_CUDA_PATH: '/nowhere'}, 'engine', '--device', 'cuda')
        expect(code).to.equal(4)
        expect(stderr).to.match(/^Error: the CUDA driver cannot be loaded: .*\/nowhere/)
      })

      it('KVCACHED_GPU_UTILIZATION: share of the GPU that pages may fill', async () => {
        const facts = {context_bytes: 0, 'gpu.0.total_bytes': 100 * 2 * 2 * MIB}
        const driver = cudaStandIn(folder(), facts)
        const env = {...driver.env, KVCACHED_GPU_UTILIZATION: '0.25', KVCACHED_MIN_RESERVED_PAGES: '60'}
        const {pid, segment} = await startEngine(
          {...env, KVCACHED_MAX_RESERVED_PAGES: '60'},
          '--device',
          'cuda:0',
        )
        // A quarter of 100, less the null block's and that of zeros.
        expect(await preallocated(segment, 23 * 2 * 2 * MIB)).to.equal(23 * 2 * 2 * MIB)
        expect(driver.counters(pid)!.physicalBytes).to.equal(25 * 2 * 2 * MIB)
      })
    })

    it('VLLM_API_KEY: the key that /v1 asks for', async () => {
      const {url} = await startEngine({VLLM_API_KEY: 'secret'})
      const statusWith = async (headers: Record<string, string>): Promise<number> =>
        (await fetch(`${url}/v1/models`, {headers})).status
      expect(await statusWith({})).to.equal(401)
      expect(await statusWith({authorization: 'Bearer secret'})).to.equal(200)
    })

    it('VLLM_SERVER_DEV_MODE: offers sleep under --strict-vllm, with --enable-sleep-mode its effect', async () => {
      const development = {VLLM_SERVER_DEV_MODE: '1'}
      const strict = await startEngine({KVCACHED_IPC_NAME: 'strict'}, '--strict-vllm')
      const idle = await startEngine({...development, KVCACHED_IPC_NAME: 'idle'}, '--strict-vllm')
      const sleepy = await startEngine(
        {...development, KVCACHED_IPC_NAME: 'sleepy'},
        ...['--strict-vllm', '--enable-sleep-mode'],
      )
      const sleep = async ({url}: {url: string}): Promise<unknown> => {
        const {status} = await fetch(`${url}/sleep?level=1`, {method: 'POST'})
        return [status, await (await fetch(`${url}/is_sleeping`)).json()]
      }
      expect(await sleep(strict)).to.deep.equal([404, {detail: 'Not Found'}])
      expect(await sleep(idle)).to.deep.equal([200, {is_sleeping: false}])
      expect(await sleep(sleepy)).to.deep.equal([200, {is_sleeping: true}])
    })

    for (const [name, value] of [
      ['KVCACHED_PAGE_SIZE_MB', '3'],
      ['KVCACHED_PAGE_SIZE_MB', '0'],
      ['KVCACHED_MIN_RESERVED_PAGES', '-1'],
      ['KVCACHED_MAX_RESERVED_PAGES', 'many'],
      ['KVCACHED_GPU_UTILIZATION', '95'],
    ] as const) {
      it(`${name}=${value} is refused with 2`, async () => {
        const {code, stderr} = await kvctl({[name]: value}, 'engine', '--port', '0')
        expect(code).to.equal(2)
        expect(stderr).to.match(new RegExp(`^Error: ${name} must be .*, not '${value}'\n$`))
      })
    }
  })
})
