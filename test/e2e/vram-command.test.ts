import type {ChildProcess} from 'node:child_process'
import {once} from 'node:events'
import {createServer, type Server} from 'node:http'
import type {AddressInfo} from 'node:net'
import {join} from 'node:path'
import {createInterface} from 'node:readline'
import {expect} from 'chai'
import {runCli, startCli} from '../support/cli.js'
import {engineServer, type EnginePage} from '../support/engine-page.js'
import {bareDriver, fullGpu} from '../support/nvml/driver-facts.js'
import {standInDriver} from '../support/nvml/stand-in.js'
import {describeWith} from '../support/requires.js'
import {temporaryFolder} from '../support/temporary.js'

interface Document {
  readonly total_bytes: number
  readonly allocated_blocks: number
  readonly devices: {index: number}[]
  readonly blocks: unknown[]
  readonly warnings: {code: string}[]
}

describeWith(['gcc|cc'], 'kvctl vram', () => {
  const folder = temporaryFolder()
  const children: ChildProcess[] = []
  let engine: EnginePage
  let env: NodeJS.ProcessEnv
  beforeEach(async () => {
    engine = await engineServer({blocks: '1000', usage: 0.25})
    const facts = {
      ...bareDriver(2),
      ...fullGpu(0),
      ...fullGpu(1, 8),
      'gpu.0.compute': `99999999:${30 * 2 ** 30}:-1:-1`,
      'gpu.1.compute': '',
    }
    env = {
      ...standInDriver(folder(), facts).env,
      KVCTL_ENGINE_URLS: engine.url,
      KVCTL_SHM_DIR: folder(),
      KVCTL_STATE_DIR: join(folder(), 'state'),
    }
  })
  afterEach(() => {
    engine.close()
    for (const child of children.splice(0)) child.kill('SIGKILL')
  })
  const json = async (...args: string[]): Promise<Document> => {
    const {code, stdout, stderr} = await runCli(['vram', '--json', ...args], {env})
    expect(code, stderr).to.equal(0)
    return JSON.parse(stdout) as Document
  }
  const start = (...args: string[]): {child: ChildProcess; stderr: () => string} => {
    const child = startCli(args, {env})
    children.push(child)
    let stderr = ''
    child.stderr!.on('data', text => (stderr += String(text)))
    return {child, stderr: () => stderr}
  }

  it('shows memory, blocks, GPUs, who holds them, and engines', async () => {
    const {code, stdout} = await runCli(['vram'], {env})
    expect(code).to.equal(0)
    expect(stdout.split('\n').slice(0, 14)).to.deep.equal([
      'Memory  49.17 GB of 160.00 GB in use (30.73 %), 110.83 GB free',
      'Blocks  250 of 1000 in use',
      '',
      'GPU  Name                       Used      Free     Total  State',
      '0    NVIDIA H100 80GB HBM3  40.59 GB  39.41 GB  80.00 GB  ok',
      '1    NVIDIA H100 80GB HBM3   8.59 GB  71.41 GB  80.00 GB  ok',
      '',
      'GPU     Memory  Held by',
      '0     30.00 GB  other processes',
      '0    600.00 MB  driver',
      '0    ~10.00 GB  unattributed',
      '1       0.00 B  other processes',
      '1    600.00 MB  driver',
      '1     ~8.00 GB  unattributed',
    ])
    expect(stdout).to.match(
      /^Engine +Model +Blocks +Weights\+runtime +KV reserved +KV in use +KV cached +KV free$/m,
    )
    expect(stdout).to.match(
      /^http:\/\/127\.0\.0\.1:\d+ +meta-llama\/Llama-3\.1-8B-Instruct +250\/1000 +N\/A +~1\.95 GB +~500\.00 MB +N\/A +~1\.46 GB$/m,
    )
  })

  it('is the document of /vram under --json, of the GPUs and blocks that were asked for', async () => {
    const all = await json()
    expect([all.total_bytes, all.blocks.length]).to.deep.equal([160 * 2 ** 30, 1000])
    const one = await json('--gpu', '1', '--blocks', 'none')
    expect(one.devices.map(({index}) => index)).to.deep.equal([1])
    expect([one.total_bytes, one.blocks]).to.deep.equal([80 * 2 ** 30, []])
    const unknown = await runCli(['vram', '--gpu', '7', '--json'], {env})
    expect(unknown.code).to.equal(4)
    expect(unknown.stdout).to.contain('GPU_NOT_FOUND')
  })

  it('is the same document of a server', async () => {
    const {child} = start('serve', '--port', '0', '--json', '--token', 'secret')
    const [line] = (await once(createInterface(child.stdout!), 'line')) as [string]
    const {url} = JSON.parse(line) as {url: string}
    const remote = await json('--url', url, '--token', 'secret', '--blocks', '10-19', '--gpu', '0')
    expect([remote.total_bytes, remote.blocks.length]).to.deep.equal([80 * 2 ** 30, 10])
    const refused = await runCli(['vram', '--follow', '--json', '--url', url], {env})
    expect([refused.code, refused.stderr]).to.deep.equal([3, ''])
    expect(refused.stdout).to.contain('401')
  })

  it('says what is missing without a driver, and shows the rest', async () => {
    env = {...env, KVCTL_NVML_PATH: '/nowhere/libnvidia-ml.so.1'}
    const {code, stdout, stderr} = await runCli(['vram'], {env})
    expect(code).to.equal(0)
    expect(stderr).to.contain('there is no usable NVIDIA driver library here')
    expect(stdout).to.contain('Blocks  250 of 1000 in use')
    expect((await json()).warnings.map(warning => warning.code)).to.deep.equal(['NVML_UNAVAILABLE'])
  })

  it('shows one document a line with --follow --json, and ends with 0 at Ctrl-C', async () => {
    const {child} = start('vram', '--follow', '--json', '--interval', '100ms', '--blocks', 'none')
    const [line] = (await once(createInterface(child.stdout!), 'line')) as [string]
    expect(JSON.parse(line)).to.include({allocated_blocks: 1000})
    child.kill('SIGINT')
    expect((await once(child, 'close'))[0]).to.equal(0)
    const args = ['vram', '--follow', '--json', '--interval', '100ms', '--count', '3']
    const {stdout, stderr} = await runCli(args, {env})
    const starts = stdout
      .trimEnd()
      .split('\n')
      .map(text => text.slice(0, 14))
    expect(starts, stderr).to.deep.equal(new Array(3).fill('{"total_bytes"'))
  })

  describe('of a server that is lost', () => {
    let server: Server
    let opened = 0
    beforeEach(async () => {
      opened = 0
      server = createServer((_, response) => {
        opened++
        response.writeHead(200, {'content-type': 'text/event-stream'})
        // As Blackbox has it, with no keys of ours.
        response.write(
          `data: {"total_bytes":100,"used_bytes":${opened},"free_bytes":50,"used_percent":1,"allocated_blocks":0,"utilized_blocks":0}\n\n`,
        )
        if (opened === 1) setTimeout(() => response.destroy(), 20)
      }).listen(0, '127.0.0.1')
      await once(server, 'listening')
    })
    afterEach(() => {
      server.closeAllConnections()
      server.close()
    })

    it('says so on stderr, and goes on when it is back', async () => {
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
      const {code, stdout, stderr} = await runCli(['vram', '--follow', '--url', url, '--count', '2'], {env})
      expect(code).to.equal(0)
      expect(stdout.match(/^Memory .*$/gm)).to.have.length(2)
      expect(stderr).to.match(
        /^http:\/\/127\.0\.0\.1:\d+\/vram\/stream\?blocks=none .*; trying again in 1 s \(1 of 5\)$/m,
      )
    })

    it('ends at once when it is told to while it waits', async () => {
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
      const {child, stderr} = start('vram', '--follow', '--url', url)
      while (!stderr().includes('trying again')) await new Promise(resolve => setTimeout(resolve, 10))
      child.kill('SIGTERM')
      expect((await once(child, 'close'))[0]).to.equal(0)
    })
  })
})
