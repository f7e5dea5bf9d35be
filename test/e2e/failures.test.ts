import {mkdtempSync, rmSync, writeFileSync} from 'node:fs'
import {createServer, type AddressInfo, type Server} from 'node:net'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {Config} from '@oclif/core'
import {expect} from 'chai'
import {EXIT} from '../../src/lib/foundation/index.js'
import {repositoryRoot, runCli} from '../support/cli.js'

interface Failure {
  /** `PORT` stands for a port that is taken, `FOLDER` for an empty folder. */
  readonly args: readonly string[]
  readonly code: number
  /** What the line must name. */
  readonly names: RegExp
}

const {configuration, network, resource} = EXIT
const FAILURES: Failure[] = [
  {args: ['analyze', '--run-dir', 'FOLDER/none'], code: resource, names: /FOLDER\/none/},
  {args: ['analyze', '--run-dir', 'FOLDER'], code: resource, names: /FOLDER/},
  {args: ['balance', '-f', 'FOLDER/none.yaml'], code: configuration, names: /none\.yaml/},
  {args: ['bench', '--url', 'http://127.0.0.1:1'], code: network, names: /127\.0\.0\.1:1/},
  {args: ['bench', '--url', 'ftp://host'], code: configuration, names: /ftp:\/\/host/},
  {args: ['bench', '--requests', '0'], code: configuration, names: /'0'/},
  {args: ['bench', '--profile', 'none-such'], code: configuration, names: /none-such/},
  {args: ['bench', '--profile', 'FOLDER/bad.yaml'], code: configuration, names: /bad\.yaml:2/},
  {args: ['bench', '--service', 'demo-llm'], code: network, names: /Kubernetes|kubectl/},
  {args: ['cache', 'bypass', 'list', '--url', 'http://127.0.0.1:1'], code: network, names: /127\.0\.0\.1:1/},
  {args: ['cache', 'clear', '--yes', '--url', 'http://127.0.0.1:1'], code: network, names: /127\.0\.0\.1:1/},
  {args: ['cache', 'conf', 'get', '--url', 'http://127.0.0.1:1'], code: network, names: /127\.0\.0\.1:1/},
  {
    args: ['cache', 'freeze', 'status', '--url', 'http://127.0.0.1:1'],
    code: network,
    names: /127\.0\.0\.1:1/,
  },
  {args: ['cache', 'hot', 'status', '--url', 'http://127.0.0.1:1'], code: network, names: /127\.0\.0\.1:1/},
  {args: ['cache', 'info', '--url', 'ftp://host'], code: configuration, names: /ftp:\/\/host/},
  {args: ['cache', 'kv', 'info', '--url', 'http://127.0.0.1:1'], code: network, names: /127\.0\.0\.1:1/},
  {
    args: ['cache', 'load-fs-chunks', 'a.yaml', '--url', 'http://127.0.0.1:1'],
    code: network,
    names: /127\.0\.0\.1:1/,
  },
  {args: ['cache', 'meta', '--url', 'http://127.0.0.1:1'], code: network, names: /127\.0\.0\.1:1/},
  {
    args: ['cache', 'retrieve', '0', '1', '--url', 'http://127.0.0.1:1'],
    code: network,
    names: /127\.0\.0\.1:1/,
  },
  {
    args: ['cache', 'statistics', 'status', '--url', 'http://127.0.0.1:1'],
    code: network,
    names: /127\.0\.0\.1:1/,
  },
  {args: ['cache', 'store', '0', '1', '--url', 'http://127.0.0.1:1'], code: network, names: /127\.0\.0\.1:1/},
  {args: ['cache', 'workers', '--url', 'ftp://host'], code: configuration, names: /ftp:\/\/host/},
  {args: ['compare', 'FOLDER/none', 'FOLDER/none'], code: resource, names: /FOLDER\/none/},
  {args: ['compare', 'a', 'b', '--metric', 'speed'], code: configuration, names: /speed/},
  {args: ['completion', 'tcsh'], code: configuration, names: /tcsh/},
  {args: ['completion'], code: configuration, names: /shell/},
  {args: ['cost', '--run-dir', 'FOLDER/none'], code: resource, names: /FOLDER\/none/},
  {args: ['cost', '--duration', 'long'], code: configuration, names: /long/},
  {args: ['delete', 'none-such'], code: resource, names: /none-such/},
  {
    args: ['deploy', '--service', 'Demo', '--model-uri', 'hf://a/b', '--dry-run'],
    code: configuration,
    names: /'Demo'/,
  },
  {args: ['deploy', '--service', 'demo', '--model-uri', 'x', '--dry-run'], code: configuration, names: /'x'/},
  {
    args: ['deploy', 'status', '--service', 'demo', '--context', 'none-such'],
    code: network,
    names: /none-such|kubectl/,
  },
  {
    args: ['undeploy', '--service', 'demo', '--context', 'none-such'],
    code: network,
    names: /none-such|kubectl/,
  },
  {args: ['doctor', '--url', 'ftp://host'], code: configuration, names: /ftp:\/\/host/},
  {args: ['doctor', '--timeout', '1s'], code: configuration, names: /1\.0 s/},
  {args: ['engine', '--port', 'PORT'], code: resource, names: /PORT/},
  {args: ['engine', '--port', '65536'], code: configuration, names: /65536/},
  {args: ['engine', '--model', 'none-such'], code: configuration, names: /none-such/},
  {args: ['engine', '--host', '0.0.0.0'], code: configuration, names: /0\.0\.0\.0/},
  {
    args: ['gate', '--run-dir', 'FOLDER/none', '--objective', 'error_rate < 1%'],
    code: resource,
    names: /FOLDER\/none/,
  },
  {args: ['export', '--run-dir', 'FOLDER/none', '--format', 'vllm'], code: resource, names: /FOLDER\/none/},
  {args: ['export', '--format', 'csv'], code: configuration, names: /csv/},
  {args: ['gate', '--objective', 'fast'], code: configuration, names: /'fast'/},
  {args: ['gpus', '--none-such'], code: configuration, names: /--none-such/},
  {args: ['import', 'FOLDER/none.json'], code: configuration, names: /none\.json/},
  {args: ['kvtop', '--once', '--record', 'FOLDER'], code: configuration, names: /FOLDER/},
  {args: ['kvtop', '--refresh', 'often'], code: configuration, names: /often/},
  {args: ['launch', '-f', 'FOLDER/none.yaml'], code: configuration, names: /none\.yaml/},
  {args: ['limit', 'none-such', '1G'], code: resource, names: /none-such/},
  {args: ['limit', 'none-such', 'plenty'], code: configuration, names: /plenty/},
  {args: ['limit', '../etc/passwd', '1G'], code: configuration, names: /etc\/passwd/},
  {args: ['limit-percent', 'none-such', '50', '--of', '1G'], code: resource, names: /none-such/},
  {args: ['limit-percent', 'none-such', 'half'], code: configuration, names: /half/},
  {args: ['list', '--none-such'], code: configuration, names: /--none-such/},
  {args: ['load-test', '--url', 'http://127.0.0.1:1'], code: network, names: /127\.0\.0\.1:1/},
  {args: ['load-test', '--concurrency', 'many'], code: configuration, names: /many/},
  {args: ['nsight', 'true', '--launch-count', '0'], code: configuration, names: /'0'/},
  {args: ['nsight', 'true', '--metrics', 'a b'], code: configuration, names: /'a b'/},
  {args: ['models', '--url', 'http://127.0.0.1:1'], code: network, names: /127\.0\.0\.1:1/},
  {args: ['models', '--threshold', 'long'], code: configuration, names: /long/},
  {args: ['probe', 'api', '--url', 'http://127.0.0.1:1'], code: network, names: /127\.0\.0\.1:1/},
  {args: ['probe', 'cache', '--requests', '1'], code: configuration, names: /'1'/},
  {args: ['profiles', 'show', 'none-such'], code: configuration, names: /none-such/},
  {args: ['profiles', 'validate', 'FOLDER/bad.yaml'], code: configuration, names: /bad\.yaml:2/},
  {args: ['prune', '--none-such'], code: configuration, names: /--none-such/},
  {args: ['quickstart', '--none-such'], code: configuration, names: /--none-such/},
  {args: ['report', '--run-dir', 'FOLDER/none'], code: resource, names: /FOLDER\/none/},
  {args: ['report', '--template', 'none-such', '--format', 'csv'], code: configuration, names: /--template/},
  {args: ['serve', '--port', 'PORT'], code: resource, names: /PORT/},
  {args: ['serve', '--api', 'none-such'], code: configuration, names: /none-such/},
  {args: ['serve', '--host', '0.0.0.0'], code: configuration, names: /0\.0\.0\.0/},
  {args: ['serve', '--config', 'FOLDER/bad.yaml'], code: configuration, names: /bad\.yaml:2/},
  {args: ['shell', '--none-such'], code: configuration, names: /--none-such/},
  {args: ['sleep'], code: configuration, names: /--status/},
  {args: ['sleep', 'm', '--url', 'http://127.0.0.1:1'], code: network, names: /127\.0\.0\.1:1/},
  {args: ['sweep'], code: configuration, names: /sweep/},
  {args: ['sweep', '--axis', 'speed=1,2'], code: configuration, names: /speed/},
  {args: ['sweep', '--resume', '--output-dir', 'FOLDER/none'], code: resource, names: /FOLDER\/none/},
  {args: ['traffic', '--url', 'http://127.0.0.1:1'], code: network, names: /127\.0\.0\.1:1/},
  {args: ['validate', '--profile', 'FOLDER/bad.yaml'], code: configuration, names: /bad\.yaml:2/},
  {args: ['vram', '--url', 'http://127.0.0.1:1'], code: network, names: /127\.0\.0\.1:1/},
  {args: ['vram', '--follow', '--interval', '1ms'], code: configuration, names: /1 ms/},
  {args: ['vram', '--blocks', 'some'], code: configuration, names: /'some'/},
  {args: ['wake', 'm', '--url', 'http://127.0.0.1:1'], code: network, names: /127\.0\.0\.1:1/},
  {args: ['watch', '-n', 'often'], code: configuration, names: /often/},
]

/** Commands whose arguments cannot be wrong. */
const CANNOT_FAIL = new Set(['help', 'profiles:list', 'complete'])

describe('a failure', () => {
  let folder: string
  let server: Server
  let config: Config

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'kvctl-failures-'))
    writeFileSync(join(folder, 'bad.yaml'), 'load_test:\n  requests: none\n')
    server = createServer().listen(0, '127.0.0.1')
    await new Promise(resolve => server.once('listening', resolve))
    config = await Config.load(repositoryRoot)
  })

  after(() => {
    server.close()
    rmSync(folder, {recursive: true})
  })

  const real = (text: string): string =>
    text.replace('FOLDER', folder).replace('PORT', String((server.address() as AddressInfo).port))

  for (const {args, code, names} of FAILURES) {
    it(`of kvctl ${args.join(' ')} leaves with ${code} and one line that names it`, async () => {
      const result = await runCli(args.map(real), {cwd: folder})
      expect(result.stdout).to.equal('')
      expect(result.code).to.equal(code)
      const [error, ...suggestions] = result.stderr.trimEnd().split('\n')
      expect(error)
        .to.match(/^Error: \S/)
        .and.match(new RegExp(real(names.source)))
      for (const line of suggestions) expect(line).to.match(/^ {2}Try: \S|^Active IPC names: /)
    })

    it(`of kvctl ${args.join(' ')} is one document under --json`, async () => {
      const command = config.findCommand(args.slice(0, 2).join(':')) ?? config.findCommand(args[0]!)
      if (!command!['enableJsonFlag']) return
      const result = await runCli([...args.map(real), '--json'], {cwd: folder})
      expect(result.code).to.equal(code)
      const {error} = JSON.parse(result.stdout) as {error: Record<string, unknown>}
      expect(error).to.have.all.keys('code', 'message', 'exit_code', 'suggestions')
      expect(error['exit_code']).to.equal(code)
      expect(error['code']).to.match(/^[A-Z][A-Z_]+$/)
      expect(error['message']).to.match(new RegExp(real(names.source)))
    })
  }

  it('of every command is among these', () => {
    const tried = new Set(
      FAILURES.map(
        ({args}) => (config.findCommand(args.slice(0, 2).join(':')) ?? config.findCommand(args[0]!))?.id,
      ),
    )
    const missing = config.commands.filter(({id}) => !tried.has(id) && !CANNOT_FAIL.has(id)).map(({id}) => id)
    expect(missing).to.deep.equal([])
  })
})
