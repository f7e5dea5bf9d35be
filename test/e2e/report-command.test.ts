import {mkdirSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {expect} from 'chai'
import {runCli} from '../support/cli.js'
import {temporaryFolder} from '../support/temporary.js'

describe('kvctl report', () => {
  const folder = temporaryFolder()

  it('leaves with 4 and the next step when there is no such run, in text and JSON', async () => {
    const missing = join(folder(), 'nowhere')
    const text = await runCli(['report', '--run-dir', missing])
    expect(text).to.include({code: 4, stdout: ''})
    expect(text.stderr).to.equal(
      `Error: there is no run directory at ${missing}\n  Try: kvctl bench\n  Try: name one with --run-dir\n`,
    )
    const json = await runCli(['report', '--run-dir', missing, '--json'])
    expect(json).to.include({code: 4, stderr: ''})
    expect(JSON.parse(json.stdout)).to.have.nested.property('error.code', 'RUN_NOT_FOUND')
  })

  it('looks at runs/latest unless told otherwise', async () => {
    const {code, stderr} = await runCli(['report'], {cwd: folder()})
    expect(code).to.equal(4)
    expect(stderr).to.include('there is no run directory at runs/latest\n')
  })

  it('says how to make the results that a run does not have yet', async () => {
    const run = join(folder(), 'run-1')
    mkdirSync(run)
    const {code, stderr} = await runCli(['report', '--run-dir', run])
    expect(code).to.equal(4)
    expect(stderr).to.equal(`Error: there is no ${run}/results.json\n  Try: kvctl analyze --run-dir ${run}\n`)
  })

  it('refuses results that are none with 2', async () => {
    const run = join(folder(), 'run-1')
    mkdirSync(run)
    writeFileSync(join(run, 'results.json'), '{"p50_ms": "fast"}')
    const {code, stderr, stdout} = await runCli(['report', '--run-dir', run])
    expect({code, stdout}).to.deep.equal({code: 2, stdout: ''})
    expect(stderr).to.match(/^Error: .*results\.json is not readable: [^\n]+\n$/)
  })
})
