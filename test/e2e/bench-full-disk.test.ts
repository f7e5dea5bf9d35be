import {mkdir, readdir} from 'node:fs/promises'
import {join} from 'node:path'
import {expect} from 'chai'
import {runCli} from '../support/cli.js'
import {readRows} from '../support/run-files.js'
import {runOnSmallDisk, smallDiskKind} from '../support/small-disk.js'
import {temporaryFolder} from '../support/temporary.js'
import {truthServers} from '../support/truth-servers.js'

describe(`kvctl bench on ${smallDiskKind}`, function () {
  this.timeout(60_000)
  const folder = temporaryFolder()
  const startTruthServer = truthServers()

  it('says once that the disk is full, keeps what was written, and is finished where there is space', async () => {
    const server = await startTruthServer({ttftMs: 2, gapMs: 1, tokens: 4})
    const [small, kept] = [join(folder(), 'small'), join(folder(), 'kept')]
    await mkdir(small)
    const args = ['bench', '--url', server.url, '--requests', '400', '--concurrency', '16', '--warmup', '0']
    const {code, stdout, stderr} = await runOnSmallDisk([...args, '--run-dir', 'run'], small, kept)
    expect({code, stdout}).to.deep.equal({code: 4, stdout: ''})
    expect(stderr.match(/^Error: .*$/gm)).to.have.length(1)
    expect(stderr).to.match(/^Error: \S+run\/requests\.csv cannot be written: /m)
    expect(stderr).to.contain('--resume --run-dir finishes it')
    expect(stderr).not.to.match(/^\s+at /m)

    const run = join(kept, 'run')
    expect(await readdir(run)).to.include.members(['requests.csv', 'gaps.bin', 'meta.json'])
    const analyzed = await runCli(['analyze', '--run-dir', run, '--json'])
    expect(analyzed.code, analyzed.stderr).to.equal(0)
    const {requests} = JSON.parse(analyzed.stdout) as {requests: {total: number; success: number}}
    expect(requests.total).to.be.within(20, 399)
    expect(requests.success).to.equal(requests.total)

    const resumed = await runCli(['bench', '--resume', '--run-dir', run])
    await server.stop()
    expect(resumed.code, resumed.stderr).to.equal(0)
    const ids = (await readRows(run)).map(row => Number(row['id'])).sort((left, right) => left - right)
    expect(ids).to.deep.equal(Array.from({length: 400}, (_, index) => index + 1))
  })
})
