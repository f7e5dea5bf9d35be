import {spawn, type ChildProcess} from 'node:child_process'
import {once} from 'node:events'
import {existsSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, statSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {createInterface, type Interface} from 'node:readline'
import {expect} from 'chai'
import type {PruneJson} from '../../src/lib/segments/index.js'
import {repositoryRoot, runCli} from '../support/cli.js'

const MIB = 2 ** 20
const PROGRAM = join(repositoryRoot, 'test/support/library-engine.js')

interface Running {
  readonly child: ChildProcess
  readonly lines: Interface
}

describe('a program that keeps KV memory with the library', function () {
  this.timeout(60_000)
  let folder: string
  let env: NodeJS.ProcessEnv
  const started = new Set<ChildProcess>()

  beforeEach(() => {
    folder = mkdtempSync('/dev/shm/kvctl-library-')
    env = {
      ...process.env,
      KVCTL_SHM_DIR: folder,
      KVCTL_STATE_DIR: mkdtempSync(join(tmpdir(), 'kvctl-state-')),
    }
  })
  afterEach(() => {
    for (const child of started) child.kill('SIGKILL')
    started.clear()
    rmSync(folder, {recursive: true})
    rmSync(env['KVCTL_STATE_DIR']!, {recursive: true})
  })

  const start = async (name: string, end: string): Promise<Running> => {
    const child = spawn(process.execPath, [PROGRAM, end], {env: {...env, KVCACHED_IPC_NAME: name}})
    started.add(child)
    const lines = createInterface(child.stdout)
    await once(lines, 'line')
    return {child, lines}
  }
  const ended = async (child: ChildProcess): Promise<[number | null, NodeJS.Signals | null]> =>
    (await once(child, 'close')) as [number | null, NodeJS.Signals | null]

  for (const [how, status] of [
    ['exit', [0, null]],
    ['shutdown', [0, null]],
    ['throw', [1, null]],
    ['reject', [1, null]],
    ['SIGTERM', [null, 'SIGTERM']],
    ['SIGINT', [null, 'SIGINT']],
    ['SIGHUP', [null, 'SIGHUP']],
  ] as const) {
    it(`leaves no segment when it ends by ${how}, and ends as it would have without`, async () => {
      const {child} = await start('one', how.startsWith('SIG') ? 'loop' : how)
      expect(existsSync(join(folder, 'one'))).to.equal(true)
      const end = ended(child)
      if (how.startsWith('SIG')) child.kill(how as NodeJS.Signals)
      else child.stdin!.write('end\n')
      expect(await end).to.deep.equal(status)
      expect(readdirSync(folder)).to.deep.equal([])
    })
  }

  it('leaves a segment that kvctl prune knows for dead when it is killed', async () => {
    const {child} = await start('killed', 'loop')
    const end = ended(child)
    child.kill('SIGKILL')
    await end
    expect(existsSync(join(folder, 'killed'))).to.equal(true)
    const {code, stdout} = await runCli(['prune', '--json'], {env})
    expect(code).to.equal(0)
    expect((JSON.parse(stdout) as PruneJson[]).map(({ipc}) => ipc)).to.deep.equal(['killed'])
    expect(existsSync(join(folder, 'killed'))).to.equal(false)
  })

  it('never takes more than its share of a budget that it has with another, while the shares change', async () => {
    const budget = 16 * MIB
    const both = [await start('left', 'loop'), await start('right', 'loop')]
    const limit = async (name: string, bytes: number): Promise<void> => {
      const {code, stderr} = await runCli(['limit', name, String(bytes), '--wait', '--timeout', '20'], {env})
      expect(code, stderr).to.equal(0)
    }
    await limit('left', budget / 4)
    await limit('right', (budget / 4) * 3)
    const most = {published: 0, resident: 0}
    let isLooking = true
    const look = async (): Promise<void> => {
      while (isLooking) {
        const published = ['left', 'right'].reduce((sum, name) => {
          const bytes = readFileSync(join(folder, name))
          return sum + Number(bytes.readBigInt64LE(8) + bytes.readBigInt64LE(16))
        }, 0)
        const resident = both.reduce((sum, {child}) => sum + memoryFileBytes(child.pid!), 0)
        most.published = Math.max(most.published, published)
        most.resident = Math.max(most.resident, resident)
        await new Promise(resolve => setTimeout(resolve, 5))
      }
    }
    const looking = look()
    for (let round = 0; round < 2; round++) {
      // Who gets less goes first, and has obeyed before the other may take more.
      await limit('right', budget / 4)
      await limit('left', (budget / 4) * 3)
      await limit('left', budget / 4)
      await limit('right', (budget / 4) * 3)
    }
    isLooking = false
    await looking
    expect(most.published).to.be.within(budget / 2, budget)
    expect(most.resident).to.be.within(budget / 2, budget)
  })
})

/** What the kernel holds for the KV pages of a process. */
function memoryFileBytes(pid: number): number {
  const path = `/proc/${pid}/fd`
  const file = readdirSync(path).find(fd => {
    try {
      return readlinkSync(join(path, fd)).startsWith('/memfd:')
    } catch {
      return false
    }
  })
  return file === undefined ? 0 : statSync(join(path, file)).blocks * 512
}
