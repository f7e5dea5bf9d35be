import {mkdirSync, readFileSync} from 'node:fs'
import {join} from 'node:path'
import {expect} from 'chai'
import {silentLogger} from '../../src/lib/foundation/index.js'
import {parseJobRequest, runJob, type JobReport} from '../../src/lib/jobs/index.js'
import {inspectProfile, shippedProfiles} from '../../src/lib/profiles/index.js'
import {benchParts} from '../../src/wiring/index.js'
import {endEngine, startEngine} from '../support/engine-process.js'
import {temporaryFolder} from '../support/temporary.js'

/** The files of kserve-vllm-mini that kvctl ships under the same names. */
const UPSTREAM = [
  ...['burst', 'cpu-smoke', 'mig/a100-1g.5gb', 'mig/a100-2g.10gb', 'mig/full', 'quantization/autoawq'],
  ...[
    'quantization/fp8',
    'quantization/gptq',
    'quantization/int4',
    'quantization/int8',
    'speculative-decoding',
  ],
  ...['standard', 'structured-output', 'sustained', 'tool-calling'],
]
const OURS = ['long-context', 'poisson', 'prefix-cache', 'ramp']

describe('the shipped profiles', function () {
  this.timeout(120_000)
  const folder = temporaryFolder()
  let engine: Awaited<ReturnType<typeof startEngine>>
  let names: string[]

  before(async () => {
    names = await shippedProfiles()
    engine = await startEngine(
      '--max-model-len',
      '16384',
      '--enable-auto-tool-choice',
      '--tool-call-parser',
      'hermes',
    )
  })
  after(() => endEngine(engine.child, 'SIGTERM'))

  it('are those of kserve-vllm-mini under its names, and ours', () => {
    expect(names).to.deep.equal([...UPSTREAM, ...OURS].sort())
  })

  it('are sound, described, streamed, and have rules that agree', async () => {
    for (const name of names) {
      const {profile, findings, unknownKeys} = await inspectProfile(`runners/profiles/${name}.yaml`)
      expect(unknownKeys, name).to.deep.equal([])
      expect(
        findings.filter(({level}) => level === 'error'),
        name,
      ).to.deep.equal([])
      expect(
        findings.map(({rule}) => rule),
        name,
      ).to.not.include('validation-agrees')
      expect(profile.metadata, name)
        .to.include({name: name.split('/').at(-1)})
        .and.have.property('description')
      expect(profile.request.stream, name).to.equal(true)
      expect(profile.validation, name).to.include({min_success_rate: 0.95, max_error_rate: 0.05})
    }
  })

  it('run end to end against the embedded engine, from plan to report', async () => {
    for (const name of names) {
      const runPath = join(folder(), name.replace('/', '-'))
      mkdirSync(runPath)
      const few = {
        requests: 3,
        concurrency: 3,
        rate: null,
        duration_seconds: 0.2,
        warmup_requests: 0,
        max_tokens: 6,
      }
      const request = parseJobRequest({profile: name, ...few, seed: 1})
      const parts = await benchParts(silentLogger, {outputDir: runPath, isInsecure: false})
      const reports: JobReport[] = []
      const order = {kind: 'run', request, targets: [engine.url], runPath} as const
      await runJob(order, parts, one => reports.push(one), new AbortController().signal)
      await parts.close()
      const end = reports.at(-1)!
      // A machine that others use may miss a rule about time; what the profile asks for was done all the same.
      expect(end, name).to.include({kind: 'ended', status: 'completed'})
      const results = JSON.parse(readFileSync(join(runPath, 'results.json'), 'utf8')) as {
        requests: object
        metadata: object
      }
      expect(results.requests, name).to.deep.equal({total: 3, success: 3})
      expect(results.metadata, name).to.include({profile: name.split('/').at(-1)})
      expect(readFileSync(join(runPath, 'report.html'), 'utf8')).to.match(/^<!doctype html>/i)
    }
  })
})
