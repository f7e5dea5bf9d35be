import {spawnSync} from 'node:child_process'
import {readdirSync, readFileSync} from 'node:fs'
import {join} from 'node:path'
import {expect} from 'chai'
import {repositoryRoot} from '../support/cli.js'
import {cudaStandIn} from '../support/cuda/stand-in.js'
import {parseSmi} from '../support/gpu/nvidia-smi.js'
import {bareDriver, fullGpu} from '../support/nvml/driver-facts.js'
import {standInDriver} from '../support/nvml/stand-in.js'
import {describeWith} from '../support/requires.js'
import {temporaryFolder} from '../support/temporary.js'

describe('the GPU suite', () => {
  const folder = temporaryFolder()
  const run = (env: NodeJS.ProcessEnv): {stats: Record<string, number>; titles: string[]; said: string} => {
    const suite = join(repositoryRoot, 'build/test/gpu')
    const files = readdirSync(suite).filter(name => name.endsWith('.test.js'))
    const mocha = join(repositoryRoot, 'node_modules/mocha/bin/mocha.js')
    const args = [mocha, '--no-config', '--timeout', '60000', '--reporter', 'json', '--reporter-option']
    const report = join(folder(), 'report.json')
    const {stdout} = spawnSync(
      process.execPath,
      [...args, `output=${report}`, ...files.map(name => join(suite, name))],
      {encoding: 'utf8', env: {...process.env, ...env}},
    )
    const document = JSON.parse(readFileSync(report, 'utf8')) as {
      stats: Record<string, number>
      tests: {fullTitle: string}[]
    }
    return {stats: document.stats, titles: document.tests.map(({fullTitle}) => fullTitle), said: stdout}
  }

  it('is skipped without a GPU, and says why', () => {
    const {stats, titles} = run({PATH: folder()})
    expect(stats).to.include({failures: 0, passes: 0})
    for (const title of titles)
      expect(title).to.match(
        /\(skipped: (?:no NVIDIA GPU here: nvidia-smi is not here|the CUDA driver cannot be loaded: )/,
      )
  })

  it('reads what nvidia-smi prints, N/A as null', () => {
    expect(parseSmi('0, NVIDIA H100, [N/A]\n\n1, X, 5\n', ['index', 'name', 'fan.speed'])).to.deep.equal([
      {index: '0', name: 'NVIDIA H100', 'fan.speed': null},
      {index: '1', name: 'X', 'fan.speed': '5'},
    ])
  })

  describeWith(['gcc|cc'], 'on stand-ins', () => {
    it('passes, and records what it saw', () => {
      const nvml = standInDriver(folder(), {...bareDriver(1), ...fullGpu(0)})
      const cuda = cudaStandIn(folder(), {
        'gpu.0.name': 'NVIDIA H100 80GB HBM3',
        'gpu.0.uuid': '0'.repeat(32),
      })
      const smi = join(repositoryRoot, 'test/support/gpu')
      const {stats, said} = run({...nvml.env, ...cuda.env, PATH: `${smi}:${process.env['PATH']}`})
      expect(stats).to.include({failures: 0, pending: 0})
      const seen = said
        .split('\n')
        .filter(line => line.startsWith('GPU-RESULT '))
        .map(line => (JSON.parse(line.slice('GPU-RESULT '.length)) as {what: string}).what)
      expect(seen.sort()).to.deep.equal([
        ...['agreement', 'cuda', 'look_ms', 'nvml_calls_ms', 'page_ms', 'processes', 'virtual_memory'],
      ])
    })
  })
})
