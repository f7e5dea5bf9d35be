import {mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {expect} from 'chai'
import {runCli} from '../support/cli.js'
import {writeRunFixture} from '../support/run-fixture.js'
import {temporaryFolder} from '../support/temporary.js'

describe('kvctl report', () => {
  const folder = temporaryFolder()
  const options = {
    requests: 60,
    warmupRequests: 5,
    concurrency: 4,
    tokens: 16,
    model: 'toy',
    failure: '503 full',
  }

  it('writes report.html into the run, prints its path, and shows what the files hold', async () => {
    const run = await writeRunFixture(join(folder(), 'runs', 'one'), options)
    symlinkSync('one', join(folder(), 'runs', 'latest'))
    const before = readdirSync(run.path)
    const {code, stdout, stderr} = await runCli(['report'], {cwd: folder()})
    expect({code, stderr}).to.deep.equal({code: 0, stderr: ''})
    expect(stdout).to.equal(`${run.path}/report.html\n`)
    expect(readdirSync(run.path).filter(name => !before.includes(name))).to.deep.equal(['report.html'])
    const page = readFileSync(join(run.path, 'report.html'), 'utf8')
    // Of 60 measured requests the 25th and the 50th fail; the five of the warm-up are not counted.
    expect(page).to.include('58 of 60 requests succeeded')
    expect(page).to.include('5 warm-up requests came first and are not counted.')
    expect(page).to.match(/<th scope="row"><code>http_5xx<\/code><\/th>\s*<td class="number">2<\/td>/)
    expect(page).to.include('limit changed during the run: 64\u00a0MB → 32\u00a0MB')
    // 58 answers of 16 tokens have 15 gaps each.
    expect(page).to.include('870 gaps, drawn as quantiles')
  })

  it('writes where it is told and answers one document under --json', async () => {
    const run = await writeRunFixture(join(folder(), 'one'), options)
    const output = join(folder(), 'elsewhere.html')
    const {code, stdout, stderr} = await runCli(['report', '--run-dir', run.path, '-o', output, '--json'])
    expect({code, stderr}).to.deep.equal({code: 0, stderr: ''})
    expect(JSON.parse(stdout)).to.deep.equal({run_id: 'one', run_dir: run.path, report: output})
    expect(readFileSync(output, 'utf8')).to.match(/^<!doctype html>/)
  })

  it('leaves with 4 when the file cannot be written', async () => {
    const run = await writeRunFixture(join(folder(), 'one'), options)
    const {code, stderr} = await runCli([
      'report',
      '--run-dir',
      run.path,
      '-o',
      join(folder(), 'no', 'where.html'),
    ])
    expect(code).to.equal(4)
    expect(stderr).to.match(/^Error: [^\n]*where\.html/)
  })

  it('shows hostile text from a run as text', async () => {
    const hostile = '<script>alert(1)</script>'
    const run = await writeRunFixture(join(folder(), 'one'), {...options, model: hostile, failure: hostile})
    await runCli(['report', '--run-dir', run.path])
    const page = readFileSync(join(run.path, 'report.html'), 'utf8')
    expect(page).not.to.include('<script')
    expect(page).to.include('<h1>&lt;script&gt;alert(1)&lt;/script&gt;</h1>')
  })

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
