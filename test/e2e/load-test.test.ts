import {once} from 'node:events'
import {readdir, readFile} from 'node:fs/promises'
import {createServer} from 'node:https'
import type {AddressInfo} from 'node:net'
import {join} from 'node:path'
import {expect} from 'chai'
import {runCli} from '../support/cli.js'
import {describeWith} from '../support/requires.js'
import {readRows} from '../support/run-files.js'
import {selfSigned} from '../support/self-signed.js'
import {temporaryFolder} from '../support/temporary.js'
import {startTruthServer, type TruthServer} from '../support/truth.js'

describe('kvctl load-test', function () {
  this.timeout(30_000)
  const folder = temporaryFolder()
  let server: TruthServer | null = null

  afterEach(async () => {
    await server?.stop()
    server = null
  })

  it('takes its target and prompt from variables, and leaves the records without judging them', async () => {
    server = await startTruthServer({ttftMs: 5, gapMs: 1, tokens: 4, model: 'demo', apiKey: 'sesame'})
    const env = {URL: server.url, MODEL: 'demo', PROMPT: 'five words of a prompt', API_KEY: 'sesame'}
    const args = [
      'load-test',
      '--requests',
      '30',
      '--concurrency',
      '3',
      '--warmup',
      '0',
      '--output-dir',
      'run',
    ]
    const {code, stdout, stderr} = await runCli([...args, '--json'], {cwd: folder(), env})
    expect(code, stderr).to.equal(0)
    const run = join(folder(), 'run')
    expect(JSON.parse(stdout)).to.deep.equal({
      ...{run_dir: run, run_id: 'run', requests: {total: 30, success: 30}, outcomes: {ok: 30}},
    })
    expect((await readdir(run)).sort()).to.deep.equal([
      'gaps.bin',
      'meta.json',
      'requests.csv',
      'timeseries.jsonl',
    ])
    expect(await readFile(join(run, 'meta.json'), 'utf8')).not.to.contain('sesame')
    const asked = (await server.stop()).filter(({requestId}) => requestId !== '')
    server = null
    expect(new Set(asked.map(({prompt}) => prompt))).to.deep.equal(new Set(['five words of a prompt']))
    expect((await readRows(run)).map(row => row['request_id']).sort()).to.deep.equal(
      asked.map(({requestId}) => requestId).sort(),
    )
    const analyzed = await runCli(['analyze', '--run-dir', 'run', '--json'], {cwd: folder()})
    expect(analyzed.code, analyzed.stderr).to.equal(0)
  })

  describeWith(['openssl'], 'over TLS', () => {
    it('takes any certificate with INSECURE', async () => {
      const tls = createServer(selfSigned(), (request, reply) => {
        const isModels = request.url === '/v1/models'
        request.resume()
        reply.setHeader('content-type', 'application/json')
        reply.end(isModels ? '{"data":[{"id":"m"}]}' : '{"choices":[{"index":0,"message":{"content":"hi"}}]}')
      }).listen(0, '127.0.0.1')
      await once(tls, 'listening')
      const env = {URL: `https://localhost:${(tls.address() as AddressInfo).port}`, PROMPT: 'hello'}
      const args = ['load-test', '--requests', '2', '--warmup', '0', '--no-stream']
      try {
        expect((await runCli(args, {cwd: folder(), env})).code).to.equal(3)
        const taken = await runCli(args, {cwd: folder(), env: {...env, INSECURE: 'true'}})
        expect(taken.stdout, taken.stderr).to.contain('2 of 2 requests succeeded')
      } finally {
        tls.closeAllConnections()
        tls.close()
      }
    })
  })

  it('lets a flag win over its variable', async () => {
    server = await startTruthServer({ttftMs: 5, gapMs: 1, tokens: 4})
    const env = {URL: 'http://127.0.0.1:1', MODEL: 'demo', PROMPT: 'from the variable'}
    const args = ['load-test', '--url', server.url, '--model', 'truth', '--prompt', 'from the flag']
    const {code, stdout} = await runCli([...args, '--requests', '2', '--dry-run', '--json'], {env})
    expect(code).to.equal(0)
    expect(JSON.parse(stdout)).to.deep.nested.include({
      'target.url': server.url,
      'target.model': 'truth',
      'plan.prompt': {kind: 'fixed', text: 'from the flag'},
    })
  })

  it('leaves with the same statuses as bench', async () => {
    server = await startTruthServer({modes: ['http_500']})
    const env = {URL: server.url}
    const failed = await runCli(['load-test', '--requests', '3', '--warmup', '0'], {cwd: folder(), env})
    expect(failed.code).to.equal(1)
    expect(failed.stdout).to.match(/0 of 3 requests succeeded, 3 http_5xx/)
    expect((await runCli(['load-test', '--pattern', 'sideways'])).code).to.equal(2)
    expect((await runCli(['load-test'], {cwd: folder(), env: {URL: 'http://127.0.0.1:1'}})).code).to.equal(3)
  })
})
