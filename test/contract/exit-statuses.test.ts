import {once} from 'node:events'
import {writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {expect} from 'chai'
import {EXIT} from '../../src/lib/foundation/index.js'
import {readRepositoryFile, runCli, startCli} from '../support/cli.js'
import {GIB, recordBytes} from '../support/segments.js'
import {temporaryFolder} from '../support/temporary.js'
import {startTruthServer} from '../support/truth.js'

describe('the exit statuses', () => {
  const folder = temporaryFolder()
  const leaves = async (...args: string[]): Promise<number> =>
    (await runCli(args, {cwd: folder(), env: {KVCTL_SHM_DIR: folder(), KVCTL_STATE_DIR: folder()}})).code

  it('in the README are those of the program', () => {
    const section = readRepositoryFile('README.md').split('## Exit statuses')[1]!.split('\n## ')[0]!
    const documented = [...section.matchAll(/^\| (\d+(?:, \d+)*) \|/gm)].flatMap(([, statuses]) =>
      statuses!.split(', '),
    )
    expect(documented.map(Number)).to.deep.equal(Object.values(EXIT))
  })

  it('0: done, also when there is nothing to list', async () => {
    expect(await leaves('list')).to.equal(0)
  })

  it('1: nothing else fits, such as a run in which every request failed', async () => {
    const server = await startTruthServer({modes: ['http_500']})
    try {
      expect(await leaves('bench', '--url', server.url, '--requests', '1', '--warmup', '0')).to.equal(1)
    } finally {
      await server.stop()
    }
  })

  it('2: configuration, such as a bad flag, size or profile', async () => {
    writeFileSync(join(folder(), 'bad.yaml'), 'requests: many\n')
    expect(await leaves('bench', '--nonsense')).to.equal(2)
    expect(await leaves('limit', 'a', 'plenty')).to.equal(2)
    expect(await leaves('bench', '--dry-run', '--profile', 'bad.yaml')).to.equal(2)
  })

  it('3: network, such as a server or a cluster that does not answer', async () => {
    expect(await leaves('bench', '--url', 'http://127.0.0.1:1')).to.equal(3)
    expect(await leaves('bench', '--service', 'demo-llm')).to.equal(3)
  })

  it('4: resource, such as a segment or a run that is not there', async () => {
    expect(await leaves('delete', 'a')).to.equal(4)
    expect(await leaves('report')).to.equal(4)
  })

  it('5: validation, such as a profile that breaks a rule', async () => {
    writeFileSync(join(folder(), 'own.yaml'), 'vllm_features: {device: cpu, quantization: awq}\n')
    expect(await leaves('validate', '--profile', 'own.yaml')).to.equal(5)
  })

  for (const [signal, status] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const) {
    it(`${status}: stopped by ${signal} before the work was done`, async () => {
      writeFileSync(join(folder(), 'a'), recordBytes(8n * GIB, 6n * GIB))
      const child = startCli(['limit', 'a', '4G', '--wait', '--timeout', '1h'], {
        env: {KVCTL_SHM_DIR: folder(), KVCTL_STATE_DIR: folder()},
      })
      // Its text comes when the limit is written and the wait begins.
      await once(child.stdout!, 'data')
      child.kill(signal)
      expect((await once(child, 'close'))[0]).to.equal(status)
    })
  }
})
