import {execFile} from 'node:child_process'
import {mkdirSync, readdirSync} from 'node:fs'
import {join} from 'node:path'
import {promisify} from 'node:util'
import {expect} from 'chai'
import {repositoryRoot} from '../support/cli.js'
import {describeWith} from '../support/requires.js'
import {temporaryFolder} from '../support/temporary.js'

const run = promisify(execFile)

describeWith(['python3'], 'kvctl when its terminal goes away', () => {
  const folder = temporaryFolder()
  const shm = (): string => join(folder(), 'shm')

  beforeEach(() => mkdirSync(shm()))

  /** @returns the exit status, or the signal that ended it */
  const endOf = async (mark: string, ...args: string[]): Promise<string> => {
    const peer = join(repositoryRoot, 'test/support/lost_terminal.py')
    const kvctl = [process.execPath, join(repositoryRoot, 'bin/run.js'), ...args]
    const env = {
      ...process.env,
      ...{HOME: folder(), KVCTL_SHM_DIR: shm(), KVCTL_STATE_DIR: join(folder(), 'state')},
    }
    return (await run('/usr/bin/python3', [peer, mark, ...kvctl], {env})).stdout.trim()
  }

  it('leaves the shell with 0', async () => {
    expect(await endOf('kvcached> ', 'shell')).to.equal('0')
  })

  it('ends an engine with 0, and its segment with it', async () => {
    expect(await endOf('http://', 'engine', '--port', '0', '--ipc-name', 'lost')).to.equal('0')
    expect(readdirSync(shm())).to.deep.equal([])
  })

  it('ends a server with 0', async () => {
    expect(await endOf('http://', 'serve', '--listen', 'cache=0')).to.equal('0')
  })

  it('ends what is only looked at, and crashes nothing', async () => {
    for (const command of ['kvtop', 'watch'])
      expect(await endOf('active KVCached segments', command)).to.be.oneOf(['0', '1', 'SIGHUP'])
  })
})
